"""Arrays of any size are cut into chunks that the cluster takes, and share one throttle."""

import os
import time
from pathlib import Path

import pytest

from chorale.launch.slurm.assignment import Assignment, On
from chorale.launch.slurm.chunks import Chunk, cut
from chorale.launch.slurm.submissions import (
    Submission,
    close_submission,
    open_submission,
    read_submission,
    was_left_open,
)
from chorale.runs.contract import Resources, Stage
from chorale.runs.directory import Run
from chorale.runs.items import ItemRecord

pytestmark = pytest.mark.unit

SIZES = [(1, 1001, 256), (1001, 1001, 8), (1002, 1001, 8), (2500, 1001, 8), (2500, 1001, 256), (2500, 1001, 1)]
SIZES += [(3003, 1001, 8), (3003, 1001, 256), (20_000, 1001, 8), (7, 2, 3), (5, 1000, 100)]


@pytest.mark.parametrize(("tasks", "largest", "throttle"), SIZES)
def test_every_task_is_in_exactly_one_chunk_that_the_cluster_takes(tasks: int, largest: int, throttle: int) -> None:
    chunks = cut(tasks, largest, throttle)
    assert [task for chunk in chunks for task in range(chunk.start, chunk.stop)] == list(range(tasks))
    assert all(0 < chunk.stop - chunk.start <= largest for chunk in chunks)


@pytest.mark.parametrize(("tasks", "largest", "throttle"), SIZES)
def test_chunks_that_run_beside_one_another_never_exceed_the_throttle(tasks: int, largest: int, throttle: int) -> None:
    chunks = cut(tasks, largest, throttle)
    # Chunks of one lane wait for one another, so of each lane one runs at a time.
    assert sum(chunk.throttle for chunk in chunks if chunk.after is None) <= throttle
    for place, chunk in enumerate(chunks):
        assert chunk.throttle >= 1
        if chunk.after is not None:
            assert chunk.after == place - 1
            assert chunk.throttle == chunks[chunk.after].throttle


def test_chunks_are_as_large_as_their_share_so_that_they_end_together() -> None:
    assert cut(2500, 1001, 8) == [Chunk(0, 937, 3), Chunk(937, 1875, 3), Chunk(1875, 2500, 2)]


def test_one_array_is_left_whole_and_keeps_its_throttle() -> None:
    assert cut(1001, 1001, 8) == [Chunk(0, 1001, 8)]
    assert cut(0, 1001, 8) == []


def test_with_a_throttle_of_one_the_chunks_follow_one_another() -> None:
    assert cut(2500, 1001, 1) == [Chunk(0, 833, 1), Chunk(833, 1666, 1, after=0), Chunk(1666, 2500, 1, after=1)]


def test_the_items_of_a_task_and_the_task_of_an_item_agree() -> None:
    submission = Submission(1, items=(3, 5, 8, 9, 11), attempts=(0, 0, 2, 0, 0), job="70", per_task=2)
    assert submission.tasks == 3
    assert [submission.items_of(task) for task in range(3)] == [(3, 5), (8, 9), (11,)]
    assert [submission.job_of(index) for index in submission.items] == ["70_0", "70_0", "70_1", "70_1", "70_2"]


def test_items_that_fit_into_one_task_make_a_plain_job() -> None:
    submission = Submission(1, items=(3, 5), attempts=(0, 0), job="70", per_task=2)
    assert (submission.tasks, submission.job_of(5)) == (1, "70")


def test_a_submission_is_for_the_item_as_it_stood() -> None:
    submission = Submission(1, items=(3, 5), attempts=(0, 2))
    assert submission.carries(ItemRecord(5, attempt=2))
    assert not submission.carries(ItemRecord(5, attempt=3))
    assert not submission.carries(ItemRecord(4))


def test_a_submission_is_taken_once_and_read_back_with_its_job(tmp_path: Path) -> None:
    run = Run(tmp_path / "x-0123456789ab")
    stage = Stage(name="naps", function="time:sleep", kind="array", items=(1, 2, 3))
    records = [ItemRecord(index) for index in range(3)]
    opened = open_submission(run, stage, records, 1, per_task=2)
    assert opened is not None
    assert open_submission(run, stage, records, 1) is None
    closed = close_submission(run, "naps", opened, "70")
    assert read_submission(run, "naps", 1) == closed
    assert (closed.job, closed.per_task, closed.comment) == ("70", 2, "chorale:0123456789ab:naps:1")


def test_a_submission_whose_process_died_before_sbatch_is_given_up_after_a_while(tmp_path: Path) -> None:
    run = Run(tmp_path / "x-0123456789ab")
    stage = Stage(name="naps", function="time:sleep", kind="array", items=(1,))
    opened = open_submission(run, stage, [ItemRecord(0)], 1)
    assert opened is not None
    assert not was_left_open(run, "naps", opened)
    path = run.stage_directory("naps") / "submission.1.json"
    long_ago = time.time() - 3600
    os.utime(path, (long_ago, long_ago))
    assert was_left_open(run, "naps", opened)
    closed = close_submission(run, "naps", opened, "70")
    os.utime(path, (long_ago, long_ago))
    assert not was_left_open(run, "naps", closed)


def test_a_task_of_several_items_gets_their_time_together_and_the_launcher_wins_over_the_stage() -> None:
    wishes = Resources(minutes=3, per_task=4)
    stage = Stage(name="naps", function="time:sleep", kind="array", items=(1, 2), resources=wishes)
    assert Assignment(cluster="testbed").on(stage).resources == Resources(minutes=12, per_task=4)
    own = Assignment(cluster="testbed", stages={"naps": On(resources=Resources(per_task=10))})
    assert own.per_task(stage) == 10
    assert own.on(stage).resources.minutes == 30
    single = stage.model_copy(update={"kind": "task", "items": (1,)})
    assert (own.per_task(single), own.on(single).resources.minutes) == (1, 3)
