from dataclasses import replace

import pytest
from small_training import STAGE

from chorale.runs.directory import Run
from chorale.runs.events import EventWriter, event_file
from chorale.runs.items import Failure, claim, pronounce, read_item
from chorale.training.attempts import attempt_table

pytestmark = pytest.mark.unit


def attempt(run, first, last, torn=False):
    """Claim the item and log as the loop does."""
    held = claim(run.stage_directory(STAGE), 0, job="7")
    path = event_file(run.events, STAGE, 0, held.record.attempt, 0)
    writer = EventWriter(path)
    writer.log(first, {"attempt/first_step": first})
    for step in range(first + 1, last + 1):
        writer.log(step, {"loss": 1.0})
    writer.close()
    if torn:
        with path.open("a") as file:
            file.write('{"t": 1, "st')
    return held


def test_the_table_tells_where_each_attempt_began_and_ended_and_what_ended_it(tmp_path):
    run = Run(tmp_path)
    attempt(run, 0, 5).pause(Failure.PREEMPTED, "saved after step 5")
    attempt(run, 5, 9)
    record = read_item(run.stage_directory(STAGE), 0)
    pronounce(run.stage_directory(STAGE), record, Failure.NODE_FAILURE, "n2 is down")
    # Whoever starts the job again makes the item pending once more.
    (run.stage_directory(STAGE) / "000000.2.verdict.json").rename(tmp_path / "verdict")
    attempt(run, 8, 10, torn=True)
    (tmp_path / "verdict").rename(run.stage_directory(STAGE) / "000000.2.verdict.json")
    attempt(run, 8, 12).finish(None)
    rows = attempt_table(run, STAGE, 0)
    assert [(row.attempt, row.first_step, row.last_step, row.ended) for row in rows] == [
        (1, 0, 5, "preempted"),
        (2, 5, 9, "node-failure"),
        (3, 8, 10, "killed"),
        (4, 8, 12, "done"),
    ]
    assert [row.executed for row in rows] == [5, 4, 2, 4]
    assert rows[0].message == "saved after step 5" and rows[0].host and rows[0].job == "7"


def test_an_attempt_that_never_came_to_train_has_no_steps(tmp_path):
    run = Run(tmp_path)
    held = claim(run.stage_directory(STAGE), 0)
    (row,) = attempt_table(run, STAGE, 0)
    assert (row.first_step, row.last_step, row.executed, row.ended) == (None, None, 0, "running")
    assert row == replace(row, host=held.record.host)
