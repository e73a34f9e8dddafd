"""The Slurm executor: each stage a job or a job array, submitted through submitit, tied by dependencies.

Submitting does not block: a stage that returns further stages submits them from inside its own job, so a search goes
on when the shell that began it is gone. Dependants start ``afterany`` and look for themselves whether what they need
ended well; ``afterok`` on a failed job would pend for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chorale.core.errors import WorkError
from chorale.core.logs import get_logger
from chorale.launch.begin import PREPARE
from chorale.launch.plan import Plan, StageStatus, cancel_hopeless
from chorale.launch.slurm.assignment import Assignment, read_assignment
from chorale.launch.slurm.clusters import Cluster, reaching
from chorale.launch.slurm.queue import find_job
from chorale.launch.slurm.script import parameters
from chorale.launch.slurm.submissions import (
    Submission,
    close_submission,
    drop_submission,
    open_submission,
    read_submissions,
)
from chorale.launch.slurm.templates import read_template
from chorale.runs.contract import Stage
from chorale.runs.directory import Run
from chorale.runs.items import State

_log = get_logger(__name__)


def submit_ready(run: Run, cluster: Cluster) -> Plan:
    """Submit every open stage whose needs are submitted or have ended, and return the plan."""
    plan = cancel_hopeless(run)
    with reaching(cluster):
        for status in plan.values():
            if not status.state.ended and _can_be_queued(run, plan, status.stage):
                _submit(run, cluster, plan, status)
    return plan


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

    # The job submits in its turn, through this module.
    from chorale.launch.slurm.job import ItemJob

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
