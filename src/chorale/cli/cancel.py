"""``chorale cancel``: stop a run, its jobs or the process that drives it."""

from __future__ import annotations

import os
import signal
import time

from chorale.cli.options import Parser, add_runs, which_run
from chorale.core.errors import InputError
from chorale.launch.slurm.assignment import read_assignment, was_submitted
from chorale.launch.slurm.clusters import find_cluster, reaching
from chorale.launch.slurm.queue import cancel_jobs
from chorale.launch.slurm.settling import job_ids, note_state, settle
from chorale.ranks.environment import host_name
from chorale.runs.directory import Run
from chorale.runs.items import State
from chorale.runs.status import is_driven, read_status

# Jobs that catch SIGTERM are killed after Slurm's KillWait; until then they are still in the queue.
_PATIENCE_S = 60
_POLL_S = 1.0


def main(words: list[str]) -> int:
    """Run the verb."""
    parser = Parser(
        "cancel",
        "Stop a run: cancel its jobs, or interrupt the process that drives it. What is done stays done, and the same "
        "configuration goes on from there.",
        ["chorale cancel tiny"],
    )
    parser.add_argument("run", metavar="RUN", help="a directory, or part of a run's name")
    add_runs(parser)
    options = parser.parse_args(words)
    run = which_run(options.run, options.runs)
    driver = read_status(run).get("driver")
    if driver and is_driven(run):
        if driver["host"] != host_name():
            raise InputError(f"{run.name}: process {driver['pid']} on {driver['host']} drives it", "cancel it there")
        os.kill(driver["pid"], signal.SIGINT)
        print(f"{run.name}: interrupted process {driver['pid']}")
    elif was_submitted(run):
        print(f"{run.name}: jobs cancelled, {_cancel_jobs(run)}")
    else:
        print(f"{run.name}: nothing is running")
    return 0


def _cancel_jobs(run: Run) -> State:
    cluster = find_cluster(read_assignment(run).cluster)
    with reaching(cluster):
        cancel_jobs(job_ids(run))
    deadline = time.monotonic() + _PATIENCE_S
    plan = settle(run, cluster)
    while not all(status.state.ended for status in plan.values()) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        plan = settle(run, cluster)
    return note_state(run, plan)
