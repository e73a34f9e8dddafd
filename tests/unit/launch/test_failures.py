"""An attempt that can no longer speak for itself is spoken for; one that spoke meanwhile is not."""

from collections.abc import Callable

import pytest

from chorale.launch.plan import read_plan
from chorale.launch.slurm import failures
from chorale.launch.slurm.queue import JobState
from chorale.launch.slurm.submissions import close_submission, open_submission, read_submissions
from chorale.runs.directory import Run
from chorale.runs.items import Claim, Failure, State, claim, read_item

pytestmark = pytest.mark.unit

RunMaker = Callable[..., Run]
PREPARE, JOB = "prepare", "77"


def running(run: Run) -> Claim:
    """Begin the item of a submitted stage, as its job would."""
    status = read_plan(run)[PREPARE]
    submission = open_submission(run, status.stage, status.records, 1)
    assert submission is not None
    close_submission(run, PREPARE, submission, JOB)
    claimed = claim(run.stage_directory(PREPARE), 0, JOB)
    assert claimed is not None
    return claimed


def settle(run: Run, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], None]) -> None:
    """Settle while Slurm says that the job is over; ``meanwhile`` happens before it answers."""

    def answer(job: str) -> JobState:
        meanwhile()
        return JobState("COMPLETED")

    monkeypatch.setattr(failures, "queued_jobs", dict)
    monkeypatch.setattr(failures, "job_state", answer)
    failures.pronounce_dead(run, read_plan(run)[PREPARE], read_submissions(run, PREPARE))


def test_an_attempt_whose_job_is_over_and_that_left_its_item_open_is_lost(
    new_run: RunMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run()
    running(run)
    settle(run, monkeypatch, lambda: None)
    record = read_item(run.stage_directory(PREPARE), 0)
    assert (record.state, record.failure) == (State.FAILED, Failure.LOST)


def test_an_attempt_that_ends_well_while_slurm_is_asked_gets_no_verdict(
    new_run: RunMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run()
    claimed = running(run)
    settle(run, monkeypatch, lambda: claimed.finish({"well": True}))
    assert read_item(run.stage_directory(PREPARE), 0).result == {"well": True}
    assert not list(run.stage_directory(PREPARE).glob("*.verdict.json"))
