import json
import os
import resource
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from chorale.core.errors import WorkError
from chorale.ranks.group import SingleProcess
from chorale.runs.checkpoints import Checkpoints, Keep, newest_complete
from chorale.runs.items import SupersededError

pytestmark = pytest.mark.unit
BYTES = 100_000


def write(directory):
    (directory / "part").mkdir()
    paths = [directory / "weights.bin", directory / "part" / "rank-0.bin"]
    for path in paths:
        path.write_bytes(bytes(BYTES))
    return paths


def checkpoints(directory, attempt=1, keep=None, **more):
    return Checkpoints(directory, SingleProcess(), attempt, keep or Keep(last=2), **more)


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_a_checkpoint_holds_its_files_and_a_manifest_that_fits_them(tmp_path):
    checkpoints(tmp_path, attempt=3).save(7, write, {"eer": 0.25})
    found = newest_complete(tmp_path)
    assert (found.step, found.attempt, found.world_size, found.metrics) == (7, 3, 1, {"eer": 0.25})
    manifest = json.loads((tmp_path / "step-00000007" / "manifest.json").read_text())
    assert set(manifest["files"]) == {"weights.bin", "part/rank-0.bin"}
    assert manifest["files"]["weights.bin"][0] == BYTES
    assert len(manifest["files"]["weights.bin"][1]) == 64


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "has 99999 bytes where 100000 were written"),
        (lambda path: path.write_bytes(bytes(BYTES - 1) + b"x"), "is damaged"),
        (lambda path: path.unlink(), "is missing"),
        (lambda path: (path.parent / "manifest.json").unlink(), "manifest is missing or damaged"),
        (lambda path: (path.parent / "manifest.json").write_text("{"), "manifest is missing or damaged"),
        (lambda path: (path.parent / "manifest.json").write_text("{}"), "manifest is missing or damaged"),
    ],
)
def test_a_damaged_checkpoint_is_skipped_with_one_line_for_the_one_before(damage, told, tmp_path, caplog):
    made = checkpoints(tmp_path)
    made.save(1, write, {})
    made.save(2, write, {})
    damage(tmp_path / "step-00000002" / "weights.bin")
    assert newest_complete(tmp_path).step == 1
    assert len(caplog.records) == 1 and told in caplog.text and "step-00000002" in caplog.text


def test_a_damaged_checkpoint_is_replaced_when_its_step_is_saved_again(tmp_path):
    checkpoints(tmp_path).save(2, write, {})
    (tmp_path / "step-00000002" / "weights.bin").unlink()
    checkpoints(tmp_path, attempt=2).save(2, write, {})
    assert newest_complete(tmp_path).attempt == 2


def test_what_was_never_committed_does_not_count_and_the_next_attempt_clears_it(tmp_path):
    checkpoints(tmp_path).save(1, write, {})
    (tmp_path / "step-00000002.1.part").mkdir()
    write(tmp_path / "step-00000002.1.part")
    assert newest_complete(tmp_path).step == 1
    checkpoints(tmp_path, attempt=2).save(3, write, {})
    assert names(tmp_path) == ["step-00000001", "step-00000003"]


def test_there_is_none_in_an_empty_directory_and_in_none_at_all(tmp_path):
    assert newest_complete(tmp_path) is None
    assert checkpoints(tmp_path / "absent").newest() is None


def test_the_last_ones_stay(tmp_path):
    made = checkpoints(tmp_path, keep=Keep(last=2))
    for step in (9, 10, 11, 100):
        made.save(step, write, {})
    assert names(tmp_path) == ["step-00000011", "step-00000100"]


@pytest.mark.parametrize(("highest", "best"), [(False, 2), (True, 3)])
def test_the_best_by_a_metric_stays_besides(highest, best, tmp_path):
    made = checkpoints(tmp_path, keep=Keep(last=1, best_of="eer", highest=highest))
    for step, eer in enumerate((0.4, 0.1, 0.5, 0.3), start=1):
        made.save(step, write, {"eer": eer})
    made.save(5, write, {})
    assert names(tmp_path) == [f"step-0000000{best}", "step-00000005"]


@pytest.mark.parametrize("calls_before", [0, 1])
def test_an_attempt_that_was_overtaken_commits_nothing_and_leaves_nothing(calls_before, tmp_path):
    calls = []

    def still_ours():
        calls.append(None)
        if len(calls) > calls_before:
            raise SupersededError("attempt 2 has taken over")

    with pytest.raises(SupersededError):
        checkpoints(tmp_path, still_ours=still_ours).save(1, write, {})
    assert not list(tmp_path.glob("step-*"))


def test_a_failed_write_leaves_the_checkpoint_before_it_and_removes_the_half(tmp_path):
    made = checkpoints(tmp_path)
    made.save(1, write, {})

    def fail(directory):
        write(directory)
        raise ValueError("torn")

    with pytest.raises(WorkError, match=r"could not save \(ValueError: torn\); the checkpoint before it is untouched"):
        made.save(2, fail, {})
    assert names(tmp_path) == ["step-00000001"]
    assert newest_complete(tmp_path).step == 1


def save_with_torch(directory):
    import torch

    torch.save({"weights": torch.zeros(3_000_000)}, directory / "weights.pt")
    return [directory / "weights.pt"]


def test_on_a_full_disk_the_checkpoint_before_survives_and_one_line_says_so(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("a small disk can be mounted only by root: run the tests as root")
    try:
        made = checkpoints(disk / "checkpoints")
        made.save(1, write, {})
        for writer in (save_with_torch, lambda folder: [(folder / "x").write_bytes(bytes(12_000_000))]):
            with pytest.raises(WorkError, match="the disk is full; the checkpoint before it is untouched") as raised:
                made.save(2, writer, {})
            assert "\n" not in str(raised.value) and "make room" in raised.value.remedy
            assert names(disk / "checkpoints") == ["step-00000001"]
        assert newest_complete(disk / "checkpoints").step == 1
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_file_above_the_allowed_size_is_told_as_a_full_disk(tmp_path):
    made = checkpoints(tmp_path)
    made.save(1, write, {})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (BYTES * 2, before[1]))
    try:
        with pytest.raises(WorkError, match="the disk is full"):
            made.save(2, lambda folder: [(folder / "x").write_bytes(bytes(BYTES * 3))], {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert names(tmp_path) == ["step-00000001"]


def test_others_may_not_write_what_will_be_read_back(tmp_path):
    before = os.umask(0o002)
    try:
        checkpoints(tmp_path).save(1, write, {})
    finally:
        os.umask(before)
    made = tmp_path / "step-00000001"
    assert all(path.stat().st_mode & 0o022 == 0 for path in (made, *made.rglob("*")))


class Pair:
    """Two threads as a group of two ranks."""

    def __init__(self, rank: int, box: dict, meet: threading.Barrier) -> None:
        self.rank, self.size, self._box, self._meet = rank, 2, box, meet

    def gather(self, value):
        self._box[self.rank] = value
        self._meet.wait(10)
        values = [self._box[0], self._box[1]]
        self._meet.wait(10)
        return values

    def broadcast(self, value):
        return self.gather(value)[0]


@pytest.mark.parametrize("failing", [None, 0, 1])
def test_both_ranks_files_are_committed_together_or_none_is(failing, tmp_path: Path):
    box, meet, ended = {}, threading.Barrier(2), {}

    def be(rank):
        def write_own(directory):
            if rank == failing:
                raise ValueError("torn")
            path = directory / f"rank-{rank}.bin"
            path.write_bytes(b"x")
            return [path]

        try:
            Checkpoints(tmp_path, Pair(rank, box, meet), 1, Keep()).save(1, write_own, {})
            ended[rank] = ""
        except WorkError as error:
            ended[rank] = str(error)

    threads = [threading.Thread(target=be, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    if failing is None:
        assert ended == {0: "", 1: ""}
        assert set(newest_complete(tmp_path).files) == {"rank-0.bin", "rank-1.bin"}
        assert newest_complete(tmp_path).world_size == 2
    else:
        assert all(f"rank {failing} could not save" in line for line in ended.values()) and len(ended) == 2
        assert not list(tmp_path.iterdir())
