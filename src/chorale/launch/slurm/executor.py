"""The Slurm executor: each stage a job or a job array, submitted through submitit, tied by dependencies.

Submitting does not block: a stage that returns further stages submits them from inside its own job, so a search goes
on when the shell that began it is gone. Dependants start ``afterany`` and look for themselves whether what they need
ended well; ``afterok`` on a failed job would pend for ever.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from chorale.core import logs
from chorale.core.errors import WorkError
from chorale.core.logs import get_logger
from chorale.launch.begin import PREPARE
from chorale.launch.execution import execute
from chorale.launch.plan import Plan, StageStatus, cancel_hopeless, first_failure, overall
from chorale.launch.slurm.assignment import Assignment, read_assignment
from chorale.launch.slurm.clusters import Cluster, find_cluster, reaching
from chorale.launch.slurm.failures import pronounce_dead
from chorale.launch.slurm.queue import find_job
from chorale.launch.slurm.rendezvous import set_rendezvous
from chorale.launch.slurm.script import parameters
from chorale.launch.slurm.submissions import (
    Submission,
    close_submission,
    drop_submission,
    open_submission,
    read_submissions,
)
from chorale.launch.slurm.templates import read_template
from chorale.ranks.group import Group, SingleProcess, open_group
from chorale.runs.context import StopFlag
from chorale.runs.contract import Stage
from chorale.runs.directory import Run
from chorale.runs.items import State
from chorale.runs.status import write_status
from chorale.tracking.export import track_run

_log = get_logger(__name__)


@dataclass(frozen=True)
class ItemJob:
    """What one job, or one task of an array, runs; pickled by submitit into the run's own directory."""

    directory: str
    stage: str
    index: int

    def __call__(self) -> str:
        """Do the item, submit what it declared, and return how it stands.

        Raises:
            WorkError: The item failed, so that Slurm shows the job as failed too.
        """
        logs.configure()
        run = Run(Path(self.directory))
        cluster = find_cluster(read_assignment(run).cluster)
        stop = StopFlag()

        def ask_to_stop(number: int, frame: FrameType | None) -> None:
            stop.set()

        # submitit's own handler raises inside whatever the work is doing at that moment.
        signal.signal(signal.SIGUSR2, ask_to_stop)
        signal.signal(signal.SIGTERM, ask_to_stop)
        plan = settle(run, cluster, upto=self.stage)
        stage = plan[self.stage].stage
        group = _join(stage)
        state = execute(run, stage, self.index, own_job_id(), stop, group=group)
        group.close()
        if stage.kind != "array" and group.rank == 0:
            # A thousand tasks of an array need not all look whether there is more to submit.
            plan = submit_ready(run, cluster)
            if note_state(run, plan) is State.DONE:
                track_run(run)
        if state is not State.DONE:
            raise WorkError(f"{run.name}: {plan[self.stage].reason or f'{self.stage} is {state}'}")
        return state.value


def _join(stage: Stage) -> Group:
    if stage.kind == "ranks":
        set_rendezvous()
    return open_group(stage.kind) if stage.kind in ("ranks", "mpi") else SingleProcess()


def own_job_id() -> str:
    """Return this process's job as Slurm names it, ``123`` or ``123_4``; empty outside a job."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID", "")


def submit_ready(run: Run, cluster: Cluster) -> Plan:
    """Submit every open stage whose needs are submitted or have ended, and return the plan."""
    plan = cancel_hopeless(run)
    with reaching(cluster):
        for status in plan.values():
            if not status.state.ended and _can_be_queued(run, plan, status.stage):
                _submit(run, cluster, plan, status)
    return plan


def settle(run: Run, cluster: Cluster, upto: str | None = None) -> Plan:
    """Find out what became of attempts whose jobs are gone, cancel what can never start, and return the plan.

    Args:
        run: The run.
        cluster: Where its jobs are.
        upto: Look only at what this stage needs; at all stages if not given.
    """
    plan = cancel_hopeless(run)
    looked_at = plan[upto].stage.needs if upto is not None else tuple(plan)
    with reaching(cluster):
        for name in looked_at:
            if name in plan and not plan[name].state.ended:
                pronounce_dead(run, plan[name], read_submissions(run, name))
    return cancel_hopeless(run)


def note_state(run: Run, plan: Plan) -> State:
    """Write the run's state into ``status.json``, with its jobs, and return it."""
    state = overall(plan)
    jobs = {name: [s.job for s in read_submissions(run, name)] for name in plan}
    jobs = {name: ids for name, ids in jobs.items() if ids}
    write_status(run, state, jobs=jobs, failure=first_failure(plan) or None)
    return state


def job_ids(run: Run) -> list[str]:
    """Return the ids of all jobs ever submitted for the run."""
    names = run.stages()
    return [submission.job for name in names for submission in read_submissions(run, name) if submission.job]


def _can_be_queued(run: Run, plan: Plan, stage: Stage) -> bool:
    if stage.name == PREPARE:
        return False
    return all(n in plan and (plan[n].state.ended or _jobs_of(run, n)) for n in stage.needs)


def _jobs_of(run: Run, stage: str) -> list[str]:
    return [submission.job for submission in read_submissions(run, stage) if submission.job]


def _submit(run: Run, cluster: Cluster, plan: Plan, status: StageStatus) -> None:
    stage = status.stage
    before = read_submissions(run, stage.name)
    if before and not before[-1].job:
        # Whoever took the right to submit may have died between sbatch and writing the id down.
        found = find_job(before[-1].comment)
        if found is None:
            return
        before[-1] = close_submission(run, stage.name, before[-1], found)
    waiting = [r for r in status.records if r.state is State.PENDING and not any(s.carries(r) for s in before)]
    dependencies = [job for need in stage.needs if not plan[need].state.ended for job in _jobs_of(run, need)]
    number = before[-1].number if before else 0
    for start in range(0, len(waiting), cluster.max_array_size):
        number += 1
        part = waiting[start : start + cluster.max_array_size]
        submission = open_submission(run, stage, part, number)
        if submission is None:
            return
        try:
            job = _sbatch(run, cluster, stage, submission, dependencies)
        except Exception:
            drop_submission(run, stage.name, submission)
            raise
        close_submission(run, stage.name, submission, job)
        _log.info("%s: job %s, %d item(s)", stage.name, job, len(part))


def _sbatch(run: Run, cluster: Cluster, stage: Stage, submission: Submission, dependencies: Sequence[str]) -> str:
    from submitit import SlurmExecutor
    from submitit.core.utils import FailedJobError

    executor = SlurmExecutor(folder=run.logs / "slurm")
    assignment = read_assignment(run)
    wanted = stage_parameters(run.name, assignment, cluster, stage, submission.comment, dependencies)
    executor.update_parameters(**wanted)
    try:
        jobs = executor.submit_array([ItemJob(str(run.directory), stage.name, index) for index in submission.items])
    except FailedJobError as error:
        raise WorkError(f"{run.name}: sbatch refused stage {stage.name}: {error}") from error
    return str(jobs[0].job_id).partition("_")[0]


def stage_parameters(
    name: str, assignment: Assignment, cluster: Cluster, stage: Stage, comment: str, dependencies: Sequence[str] = ()
) -> dict[str, Any]:
    """Return submitit's parameters for a stage of the run ``name``, as assignment, template and profile say."""
    on = assignment.on(stage)
    result = parameters(read_template(str(on.template)), cluster, on.resources, f"{name}/{stage.name}", comment)
    if dependencies:
        result["additional_parameters"]["dependency"] = "afterany:" + ":".join(dependencies)
    return result
