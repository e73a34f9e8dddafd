"""What Slurm says about jobs, without its accounting database: from ``squeue`` and ``scontrol``."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass

from chorale.core.errors import WorkError

_TIMEOUT_S = 60
_ACTIVE = (
    *("PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT"),
    *("REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESIZING", "SPECIAL_EXIT"),
)


@dataclass(frozen=True)
class JobState:
    """A job, or one task of an array, as Slurm sees it.

    Attributes:
        state: Slurm's word, such as ``RUNNING`` or ``TIMEOUT``.
        reason: Why it waits, or ended.
        exit_code: Of the batch script.
        exit_signal: That ended it; 0 for none.
        nodes: Its node list.
    """

    state: str
    reason: str = ""
    exit_code: int = 0
    exit_signal: int = 0
    nodes: str = ""

    @property
    def is_active(self) -> bool:
        """Whether it may still run, or run again."""
        return self.state in _ACTIVE


def queued_jobs() -> dict[str, str]:
    """Return this user's jobs that Slurm still remembers: id (``12``, ``12_3``) to state.

    Raises:
        WorkError: Slurm does not answer.
    """
    lines = _call("squeue", "--me", "--noheader", "--array", "--states=all", "--format=%i|%T").splitlines()
    return dict(line.split("|", 1) for line in lines if "|" in line)


@dataclass(frozen=True)
class QueuedJob:
    """A job, or one task of an array, that waits or runs.

    Attributes:
        comment: What it was labelled with.
        state: Slurm's word.
        reason: Why it waits.
        time_left: Until its time limit, as Slurm prints it.
    """

    comment: str
    state: str
    reason: str
    time_left: str


def waiting_and_running() -> list[QueuedJob]:
    """Return this user's jobs in the queue, the tasks of an array one by one.

    Raises:
        WorkError: Slurm does not answer.
    """
    lines = _call("squeue", "--me", "--noheader", "--array", "--format=%k|%T|%r|%L").splitlines()
    return [QueuedJob(*line.split("|", 3)) for line in lines]


def find_job(comment: str) -> str | None:
    """Return the id of this user's job that bears ``comment``; None if Slurm remembers none."""
    for line in _call("squeue", "--me", "--noheader", "--states=all", "--format=%A|%F|%k").splitlines():
        _, array, label = line.split("|", 2)
        if label == comment:
            return array
    return None


def job_state(job: str) -> JobState | None:
    """Return what Slurm knows about a job; None if it has forgotten it."""
    done = subprocess.run(
        ["scontrol", "show", "job", "--oneliner", job], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
    )
    if done.returncode != 0 or "JobState=" not in done.stdout:
        return None
    # The last line is the job's latest life, if it was requeued.
    fields = dict(re.findall(r"(\w+)=(\S*)", done.stdout.splitlines()[-1]))
    code, _, number = fields.get("ExitCode", "0:0").partition(":")
    return JobState(
        fields["JobState"], fields.get("Reason", ""), int(code), int(number or 0), fields.get("NodeList", "")
    )


def cancel_jobs(jobs: list[str]) -> None:
    """Cancel jobs; ones that have ended are passed over.

    Raises:
        WorkError: Slurm does not answer.
    """
    if jobs:
        _call("scancel", "--quiet", *jobs)


def _call(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True)
    except FileNotFoundError as error:
        raise WorkError(
            f"{command[0]} is not on the PATH", "log in to the cluster, or name it with --cluster"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise WorkError(f"{command[0]} gave no answer within {_TIMEOUT_S} s", "Slurm may be down; try again") from error
    except subprocess.CalledProcessError as error:
        raise WorkError(f"{command[0]}: {error.stderr.strip() or f'exit status {error.returncode}'}") from error
    return done.stdout
