"""Carry out the items of one task of a job.

Which of a submission's items are this task's, the array index tells. Small items come several to a task and are done
one after the other. There is no pickle: a task that is requeued reads the run's directory anew.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from chorale.core import logs
from chorale.core.errors import ChoraleError, WorkError
from chorale.launch.slurm.job import ItemJob, stop_on_signals
from chorale.launch.slurm.submissions import read_submission
from chorale.runs.directory import Run
from chorale.runs.stopping import GO_ON


def do_items(directory: str, stage: str, number: int) -> None:
    """Do the items of this task; one that fails does not keep the others from being done.

    Raises:
        ChoraleError: Items failed, so that Slurm shows the task as failed too.
        SystemExit: The work has saved itself and wants to go on.
    """
    submission = read_submission(Run(Path(directory)), stage, number)
    stop = stop_on_signals()
    failures: list[ChoraleError] = []
    for index in submission.items_of(int(os.environ.get("SLURM_ARRAY_TASK_ID", "0"))):
        if stop:
            # What is left waits for the job, which the batch script puts back.
            raise SystemExit(GO_ON)
        try:
            ItemJob(directory, stage, index, number)(stop)
        except ChoraleError as error:
            failures.append(error)
    if len(failures) > 1:
        raise WorkError(f"{failures[0]} (and {len(failures) - 1} more)")
    if failures:
        raise failures[0]


def carry_out(directory: str, stage: str, number: str) -> int:
    """Do the items and return the exit status."""
    logs.configure()
    try:
        do_items(directory, stage, int(number))
    except ChoraleError as error:
        print(f"chorale: {error}", file=sys.stderr)
        return error.exit_status
    return 0
