"""Tell failures apart: what became of an attempt whose job is gone and that could not say so itself."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from chorale.launch.plan import StageStatus
from chorale.launch.slurm.queue import JobState, job_state, queued_jobs
from chorale.launch.slurm.submissions import Submission
from chorale.runs.directory import Run
from chorale.runs.items import Failure, ItemRecord, pronounce, read_item

_BY_STATE = {
    "CANCELLED": (Failure.CANCELLED, "was cancelled"),
    "TIMEOUT": (Failure.TIME_LIMIT, "ran into its time limit"),
    "DEADLINE": (Failure.TIME_LIMIT, "ran into its deadline"),
    "OUT_OF_MEMORY": (Failure.OUT_OF_MEMORY, "used more memory than it asked for"),
    "NODE_FAIL": (Failure.NODE_FAILURE, "lost its node"),
    "BOOT_FAIL": (Failure.NODE_FAILURE, "got a node that did not boot"),
    "PREEMPTED": (Failure.PREEMPTED, "was preempted"),
}
# A shell says 128 + n when signal n ended its command.
_SIGNAL_EXIT_BASE = 128
# What slurmstepd and the kernel print when they end a task for its memory.
_OUT_OF_MEMORY = re.compile(r"exceeded memory limit|oom.?kill|out of memory", re.IGNORECASE)
_LAST_BYTES = 4096
_COMPLETING_S = 30
_POLL_S = 0.5


def pronounce_dead(run: Run, status: StageStatus, submissions: Sequence[Submission]) -> None:
    """Write a verdict on every open item of a stage whose job Slurm says has ended, or has forgotten."""
    states = queued_jobs() if submissions else {}
    directory = run.stage_directory(status.stage.name)
    for record in status.records:
        if record.state.ended:
            continue
        job = _job_of(record, submissions)
        # An array task that waits with its siblings is listed under the array; what is listed as active is alive.
        if not job or (JobState(states.get(job, "")).is_active and states[job] != "COMPLETING"):
            continue
        state = _after_completing(job)
        # It may have ended well after its record was read and before Slurm was asked.
        if _is_as_it_was(directory, record) and (state is None or not state.is_active):
            failure, message = diagnose(job, state, record, _last_words(run, job))
            pronounce(directory, record, failure, message)


def diagnose(job: str, state: JobState | None, record: ItemRecord, last_words: str = "") -> tuple[Failure, str]:
    """Return why a job ended that left its item open, and a line about it.

    Args:
        job: The job.
        state: What Slurm says about it; None if it has forgotten it.
        record: The item's open attempt.
        last_words: The end of what the job printed; Slurm does not always say otherwise that memory ran out.
    """
    host = f" on {record.host}" if record.host else ""
    if state is None:
        return Failure.LOST, f"Slurm no longer knows job {job}{host}, and the item was left open"
    if state.state in _BY_STATE:
        failure, what = _BY_STATE[state.state]
        return failure, f"job {job} {what}{host}"
    if _OUT_OF_MEMORY.search(last_words):
        return Failure.OUT_OF_MEMORY, f"job {job} used more memory than it asked for{host}"
    number = state.exit_signal or max(0, state.exit_code - _SIGNAL_EXIT_BASE)
    if number:
        name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
        return Failure.KILLED, f"job {job} was ended by {name}{host}"
    return (
        Failure.LOST,
        f"job {job} ended as {state.state}, exit status {state.exit_code}{host}, and left the item open",
    )


def _last_words(run: Run, job: str) -> str:
    words = []
    for path in run.logs.glob(f"slurm/{job}_*_log.err"):
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LAST_BYTES))
            words.append(file.read().decode(errors="replace"))
    return "\n".join(words)


def _is_as_it_was(directory: Path, record: ItemRecord) -> bool:
    now = read_item(directory, record.index)
    return (now.attempt, now.state) == (record.attempt, record.state)


def _job_of(record: ItemRecord, submissions: Sequence[Submission]) -> str:
    if record.job:
        return record.job
    carrying = [submission for submission in submissions if submission.carries(record) and submission.job]
    return carrying[-1].job_of(record.index) if carrying else ""


def _after_completing(job: str) -> JobState | None:
    """Wait until Slurm has cleaned up after a job: before that it does not say how the job ended."""
    state = job_state(job)
    for _ in range(int(_COMPLETING_S / _POLL_S)):
        if state is None or state.state != "COMPLETING":
            break
        time.sleep(_POLL_S)
        state = job_state(job)
    return state
