"""An item is held by one attempt; a newer attempt or a verdict silences an older one."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from chorale.core.errors import WorkError
from chorale.ranks.environment import host_name
from chorale.runs.heartbeat import STALE_S, beating
from chorale.runs.items import (
    Failure,
    State,
    SupersededError,
    claim,
    pronounce,
    read_item,
    read_items,
    reopen,
)

pytestmark = pytest.mark.unit


def make_stale(path: Path) -> None:
    text = path.read_text().replace(f'"host": "{host_name()}"', '"host": "another"')
    path.write_text(text)
    long_ago = time.time() - STALE_S - 1
    os.utime(path, (long_ago, long_ago))


def test_a_finished_item_keeps_its_result_and_is_not_taken_again(tmp_path: Path) -> None:
    held = claim(tmp_path, 3)
    assert held is not None
    held.finish({"eer": 0.25})
    record = read_item(tmp_path, 3)
    assert (record.state, record.result, record.attempt) == (State.DONE, {"eer": 0.25}, 1)
    assert claim(tmp_path, 3) is None


def test_an_item_that_a_live_process_holds_is_refused(tmp_path: Path) -> None:
    assert claim(tmp_path, 0) is not None
    assert claim(tmp_path, 0) is None


def test_an_item_whose_process_died_is_taken_by_the_next_attempt(tmp_path: Path) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    held = claim(tmp_path, 0)
    assert held is not None
    held.path.write_text(held.path.read_text().replace(f'"pid": {os.getpid()}', f'"pid": {dead.pid}'))
    taken = claim(tmp_path, 0)
    assert taken is not None
    assert taken.record.attempt == 2


def test_a_silent_host_loses_its_item_and_writes_nothing_when_it_wakes(tmp_path: Path) -> None:
    sleeper = claim(tmp_path, 0)
    assert sleeper is not None
    make_stale(sleeper.path)
    taken = claim(tmp_path, 0)
    assert taken is not None
    with pytest.raises(SupersededError):
        sleeper.finish("late")
    taken.finish("in time")
    assert read_item(tmp_path, 0).result == "in time"


def test_a_requeued_job_takes_over_from_itself_at_once(tmp_path: Path) -> None:
    assert claim(tmp_path, 0, job="12_3") is not None
    assert claim(tmp_path, 0, job="12_4") is None
    again = claim(tmp_path, 0, job="12_3")
    assert again is not None
    assert again.record.attempt == 2


def test_a_verdict_stands_for_an_attempt_that_cannot_speak_and_silences_it(tmp_path: Path) -> None:
    held = claim(tmp_path, 0)
    assert held is not None
    pronounce(tmp_path, held.record, Failure.KILLED, "signal 9\non host n2")
    record = read_item(tmp_path, 0)
    assert (record.state, record.failure, record.message) == (State.FAILED, Failure.KILLED, "signal 9 on host n2")
    with pytest.raises(SupersededError):
        held.finish("late")


def test_a_verdict_does_not_undo_a_result(tmp_path: Path) -> None:
    held = claim(tmp_path, 0)
    assert held is not None
    running = held.record
    held.finish("done")
    pronounce(tmp_path, running, Failure.LOST, "nobody knows")
    assert read_item(tmp_path, 0).result == "done"


def test_an_item_nobody_tried_can_be_cancelled(tmp_path: Path) -> None:
    (record,) = read_items(tmp_path, 1)
    pronounce(tmp_path, record, Failure.DEPENDENCY, "needs stage a, which failed")
    assert read_item(tmp_path, 0).state is State.CANCELLED
    assert claim(tmp_path, 0) is None


def test_a_reopened_item_is_pending_and_its_next_attempt_counts_on(tmp_path: Path) -> None:
    held = claim(tmp_path, 0)
    assert held is not None
    held.fail(Failure.ERROR, "bug")
    reopen(tmp_path, read_item(tmp_path, 0))
    assert read_item(tmp_path, 0).state is State.PENDING
    again = claim(tmp_path, 0)
    assert again is not None
    assert again.record.attempt == 3


def test_a_heartbeat_keeps_an_attempt_alive(tmp_path: Path) -> None:
    held = claim(tmp_path, 0)
    assert held is not None
    make_stale(held.path)
    assert not read_item(tmp_path, 0).is_alive()
    with beating(held.path, every_s=0.02):
        time.sleep(0.2)
        assert read_item(tmp_path, 0).is_alive()


def test_a_damaged_record_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "000000.1.json").write_text("{}")
    with pytest.raises(WorkError, match=r"000000\.1\.json: damaged"):
        read_item(tmp_path, 0)
