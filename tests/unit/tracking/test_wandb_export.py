import json
import logging
import math
import os
import struct
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from wandb.proto import wandb_internal_pb2

from chorale.runs.contract import Experiment, ExperimentConfig, Outcome, Stage
from chorale.runs.directory import Run, open_or_create
from chorale.runs.events import EventWriter, event_file
from chorale.runs.items import Failure, claim
from chorale.runs.parts import Part
from chorale.runs.placement import Where
from chorale.tracking import export
from chorale.tracking.export import track_item, track_run

pytestmark = pytest.mark.unit

_BLOCK_BYTES = 32768
_HEADER_BYTES = 7


class SumConfig(ExperimentConfig):
    experiment: str = "sums"
    rate: float = 0.5


def add(context: Any, config: SumConfig) -> Outcome:
    return Outcome(context.item)


class Sums(Experiment[SumConfig]):
    name = "sums"
    summary = "Adds numbers."
    final_stage = "total"
    config_class = SumConfig

    def stages(self, config: SumConfig) -> Sequence[Stage]:
        return [
            Stage(name="generation-003", function=add, kind="array", items=tuple({"width": n} for n in range(40))),
            Stage(name="total", function=add, needs=("generation-003",)),
        ]

    def report(self, run: Run, config: SumConfig) -> Sequence[Part]:
        return []


@pytest.fixture(autouse=True)
def fresh_tracker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(export, "_tracker", export._Tracker())
    monkeypatch.setattr(logging.getLogger("chorale"), "propagate", True)
    yield
    if export._tracker._exporter is not None:
        export._tracker._exporter.close()


def make_run(root: Path, **where: Any) -> Run:
    run = open_or_create(SumConfig(where=Where(runs=root / "runs", project="choir", **where)), "small")
    run.__dict__["experiment"] = Sums()
    run.declare(run.experiment.stages(run.config))
    return run


def log(run: Run, index: int, attempt: int, losses: dict[int, float], rank: int = 0) -> None:
    writer = EventWriter(event_file(run.events, "generation-003", index, attempt, rank))
    for step, loss in losses.items():
        writer.log(step, {"loss": loss})
    writer.close()


def finish(run: Run, stage: str, index: int, result: Any) -> None:
    claimed = claim(run.stage_directory(stage), index)
    assert claimed is not None
    claimed.finish(result)


def records(path: Path) -> Iterator[Any]:
    """Read a W&B file: a LevelDB log of protocol-buffer records, in blocks of 32 KiB, after a header of 7 bytes."""
    data = path.read_bytes()
    position, record = _HEADER_BYTES, b""
    while position + _HEADER_BYTES <= len(data):
        left = _BLOCK_BYTES - position % _BLOCK_BYTES
        if left < _HEADER_BYTES:
            position += left
            continue
        length, kind = struct.unpack_from("<HB", data, position + 4)
        position += _HEADER_BYTES
        record += data[position : position + length]
        position += length
        if kind in (1, 4):  # the whole of a record, or its last part
            yield wandb_internal_pb2.Record.FromString(record)
            record = b""


class Exported:
    """What a W&B file says, in the order in which it says it."""

    def __init__(self, path: Path) -> None:
        self.config: dict[str, Any] = {}
        self.summary: dict[str, Any] = {}
        self.history: list[dict[str, Any]] = []
        self.exit_code: int | None = None
        for record in records(path):
            kind = record.WhichOneof("record_type")
            if kind == "run":
                self.run = record.run
                self.config |= {update.key: json.loads(update.value_json) for update in record.run.config.update}
            elif kind == "history":
                items = {i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in record.history.item}
                self.history.append({**items, "step": record.history.step.num})
            elif kind == "summary":
                self.summary |= {
                    i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in record.summary.update
                }
            elif kind == "exit":
                self.exit_code = record.exit.exit_code


def exported(run: Run) -> list[Exported]:
    return [Exported(path) for path in sorted(run.directory.glob("wandb/*/*.wandb"))]


def test_an_item_is_exported_with_each_step_once_in_order_its_config_and_its_result(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    log(run, 7, 1, {0: 9.0, 1: 8.0, 2: 7.0})
    log(run, 7, 2, {2: 2.5, 3: math.nan})
    log(run, 7, 2, {3: 0.25}, rank=1)
    finish(run, "generation-003", 7, {"eer": 0.125})

    assert track_item(run, "generation-003", 7)

    (one,) = exported(run)
    plain = [{key: value for key, value in row.items() if not key.startswith("_")} for row in one.history]
    assert plain == [
        {"step": 0, "loss": 9.0},
        {"step": 1, "loss": 8.0},
        {"step": 2, "loss": 2.5},
        {"step": 3, "loss": pytest.approx(math.nan, nan_ok=True), "loss/rank-1": 0.25},
    ]
    assert one.config["rate"] == 0.5
    assert one.config["item"] == {"width": 7}
    assert "where" not in one.config
    assert one.summary["eer"] == 0.125
    assert one.summary["state"] == "done"
    assert one.exit_code == 0
    assert one.run.run_group == run.name
    assert one.run.job_type == "generation"
    assert one.run.display_name == "generation-003/7"
    assert list(one.run.tags) == ["sums"]
    assert one.run.project == "choir"


def test_the_time_of_a_step_is_when_it_was_logged_and_not_when_it_was_exported(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    path = event_file(run.events, "generation-003", 0, 1, 0)
    path.parent.mkdir(parents=True)
    path.write_text('{"t": 1000000.5, "step": 0, "metrics": {"loss": 1.0}}\n')

    track_item(run, "generation-003", 0)

    assert exported(run)[0].history[0]["_timestamp"] == 1000000.5


def test_a_second_export_of_an_item_replaces_the_first(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    log(run, 0, 1, {0: 1.0})
    track_item(run, "generation-003", 0)
    first_id = exported(run)[0].run.run_id
    log(run, 0, 2, {0: 3.0, 1: 2.0})
    track_item(run, "generation-003", 0)
    track_item(run, "generation-003", 1)

    assert [len(one.history) for one in exported(run) if one.run.run_id == first_id] == [2]
    assert len({one.run.run_id for one in exported(run)}) == 2


def test_the_id_depends_on_run_stage_and_index_alone(tmp_path: Path) -> None:
    ids = []
    for place in ("here", "there"):
        run = make_run(tmp_path / place)
        track_item(run, "generation-003", 3)
        ids.append(exported(run)[0].run.run_id)

    assert ids[0] == ids[1]


def test_a_failed_item_is_marked_as_failed_with_the_reason(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    claimed = claim(run.stage_directory("generation-003"), 0)
    assert claimed is not None
    claimed.fail(Failure.OUT_OF_MEMORY, "12 GiB wanted")

    track_item(run, "generation-003", 0)

    (one,) = exported(run)
    assert one.exit_code == 1
    assert (one.summary["failure"], one.summary["message"]) == ("out-of-memory", "12 GiB wanted")


def test_the_run_as_a_whole_is_exported_with_its_final_result_and_how_its_stages_stand(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    finish(run, "generation-003", 0, 1)
    finish(run, "total", 0, {"best_eer": 0.0625})

    assert track_run(run)

    (one,) = exported(run)
    assert one.run.job_type == "run"
    assert one.run.run_group == run.name
    assert one.summary["best_eer"] == 0.0625
    assert one.summary["stages"]["generation-003"] == {"done": 1, "pending": 39}
    assert set(one.config["code"]) == {"commit"}


def test_forty_items_cost_at_most_a_second_each_and_print_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path)
    for index in range(40):
        log(run, index, 1, {step: 1.0 / (step + 1) for step in range(20)})

    started = time.monotonic()
    for index in range(40):
        assert track_item(run, "generation-003", index)
    seconds = time.monotonic() - started

    assert len(exported(run)) == 40
    assert seconds < 40
    assert capfd.readouterr() == ("", "")


def test_a_disabled_tracking_writes_nothing(tmp_path: Path) -> None:
    run = make_run(tmp_path, tracking="disabled")

    assert not track_item(run, "generation-003", 0)
    assert not (run.directory / "wandb").exists()


def package_that(does: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "wandb").mkdir()
    (folder / "wandb" / "__init__.py").write_text(does)
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_a_missing_package_is_one_warning_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    package_that("raise ModuleNotFoundError('No module named wandb', name='wandb')", tmp_path, monkeypatch)
    run = make_run(tmp_path)

    assert not track_item(run, "generation-003", 0)
    assert not track_item(run, "generation-003", 1)

    (warning,) = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert "wandb is not installed; pip install wandb" in warning


def test_a_wandb_that_hangs_is_given_up_once_and_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    package_that("import time\ntime.sleep(600)", tmp_path, monkeypatch)
    monkeypatch.setitem(export.LIMITS_S, "offline", 2.0)
    run = make_run(tmp_path)

    started = time.monotonic()
    results = [track_item(run, "generation-003", index) for index in range(5)]

    assert results == [False] * 5
    assert time.monotonic() - started < 8
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_wandb_that_kills_its_process_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    package_that("import os\nos._exit(9)", tmp_path, monkeypatch)
    run = make_run(tmp_path)

    assert not track_item(run, "generation-003", 0)
    assert "has died (exit status 9)" in caplog.text


def test_a_server_that_does_not_answer_is_a_warning_within_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setitem(export.LIMITS_S, "online", 3.0)
    run = make_run(tmp_path, tracking="online")

    started = time.monotonic()
    assert not track_item(run, "generation-003", 0)

    assert time.monotonic() - started < 10
    assert "no answer within 3 s" in caplog.text


def test_without_an_api_key_online_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")

    assert not track_item(make_run(tmp_path, tracking="online"), "generation-003", 0)
    assert "No API key configured" in caplog.text


def test_a_process_forked_from_one_that_tracks_starts_an_exporter_of_its_own(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    track_item(run, "generation-003", 0)

    pid = os.fork()
    if pid == 0:
        os._exit(0 if track_item(run, "generation-003", 1) else 1)
    _, status = os.waitpid(pid, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert track_item(run, "generation-003", 2)
    assert len(exported(run)) == 3
