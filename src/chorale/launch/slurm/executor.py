"""The Slurm executor: each stage a job or a job array, submitted through submitit, tied by dependencies.

Submitting does not block: a stage that returns further stages submits them from inside its own job, so a search goes
on when the shell that began it is gone. Dependants start ``afterany`` and look for themselves whether what they need
ended well; ``afterok`` on a failed job would pend for ever.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chorale.core.errors import WorkError
from chorale.core.logs import get_logger
from chorale.launch.begin import PREPARE
from chorale.launch.plan import Plan, StageStatus, cancel_hopeless, read_plan
from chorale.launch.slurm.assignment import Assignment, read_assignment
from chorale.launch.slurm.chunks import cut
from chorale.launch.slurm.clusters import Cluster, reaching
from chorale.launch.slurm.places import slurm_directory
from chorale.launch.slurm.queue import find_job
from chorale.launch.slurm.retrying import failing_nodes
from chorale.launch.slurm.script import parameters
from chorale.launch.slurm.submissions import (
    Submission,
    close_submission,
    drop_submission,
    open_submission,
    read_submissions,
    was_left_open,
)
from chorale.launch.slurm.templates import read_template
from chorale.launch.snapshot import snapshot
from chorale.runs.contract import Stage
from chorale.runs.directory import Run
from chorale.runs.items import ItemRecord, State

_TASK = "chorale.launch.slurm.task"
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


def _is_waiting(record: ItemRecord) -> bool:
    # A pending item that names a job has saved itself, and that job is put back by its own batch script.
    return record.state is State.PENDING and not record.job


def _live_jobs(run: Run, status: StageStatus) -> list[str]:
    """Return the jobs that still carry open items of a stage; one that is over may be forgotten by Slurm."""
    live = []
    for submission in read_submissions(run, status.stage.name):
        carried = [status.records[index] for index in submission.items]
        if submission.job and any(_is_carried(record, submission) for record in carried):
            live.append(submission.job)
    return live


def _is_carried(record: ItemRecord, submission: Submission) -> bool:
    if record.state.ended:
        return False
    return record.job == submission.job_of(record.index) if record.job else submission.carries(record)


def _submit(run: Run, cluster: Cluster, plan: Plan, status: StageStatus) -> None:
    stage = status.stage
    before = _repaired(run, stage, read_submissions(run, stage.name))
    if before and not before[-1].job:
        return
    waiting = [r for r in status.records if _is_waiting(r) and not any(s.carries(r) for s in before)]
    if not waiting:
        return
    dependencies = [job for need in stage.needs for job in _live_jobs(run, plan[need])]
    wanted = _wanted(run, cluster, stage)
    per_task = read_assignment(run).per_task(stage)
    tasks = math.ceil(len(waiting) / per_task)
    jobs: list[str] = []
    for chunk in cut(tasks, cluster.max_array_size, wanted["array_parallelism"]):
        number = (before[-1].number if before else 0) + len(jobs) + 1
        part = waiting[chunk.start * per_task : chunk.stop * per_task]
        submission = open_submission(run, stage, part, number, per_task)
        if submission is None:
            return
        chained = [jobs[chunk.after]] if chunk.after is not None else []
        own = {**wanted, "array_parallelism": chunk.throttle, "comment": submission.comment}
        try:
            job = _submitted(run, stage, submission, with_dependencies(own, [*dependencies, *chained]))
        except Exception:
            drop_submission(run, stage.name, submission)
            raise
        close_submission(run, stage.name, submission, job)
        jobs.append(job)
        _log.info("%s: job %s, %d item(s) in %d task(s)", stage.name, job, len(part), submission.tasks)


def _repaired(run: Run, stage: Stage, submissions: Sequence[Submission]) -> list[Submission]:
    """Find the job of whoever took the right to submit and died before the id was written down."""
    repaired = []
    for submission in submissions:
        found = None if submission.job else find_job(submission.comment)
        if found is not None:
            repaired.append(close_submission(run, stage.name, submission, found))
        elif was_left_open(run, stage.name, submission):
            # It died before sbatch did anything: the next one to come submits in its place.
            drop_submission(run, stage.name, submission)
        else:
            repaired.append(submission)
    return repaired


def _wanted(run: Run, cluster: Cluster, stage: Stage) -> dict[str, Any]:
    wanted = stage_parameters(run.name, read_assignment(run), cluster, stage, "", code=snapshot(run))
    failing = failing_nodes(run, read_plan(run))
    if failing:
        _log.warning("%s: %s has failed again and again and is left out", run.name, ", ".join(failing))
        wanted["additional_parameters"]["exclude"] = ",".join(failing)
    return wanted


def _submitted(run: Run, stage: Stage, submission: Submission, wanted: dict[str, Any]) -> str:
    """Submit a stage's job and return its id; where too few nodes are left, on those that have failed too."""
    additional = wanted["additional_parameters"]
    try:
        return _sbatch(run, stage, submission, wanted)
    except WorkError as error:
        if "exclude" not in additional:
            raise
        _log.warning("%s; trying without leaving %s out", error, additional["exclude"])
        rest = {key: value for key, value in additional.items() if key != "exclude"}
        return _sbatch(run, stage, submission, {**wanted, "additional_parameters": rest})


def _sbatch(run: Run, stage: Stage, submission: Submission, wanted: dict[str, Any]) -> str:
    from submitit import SlurmExecutor
    from submitit.core.utils import FailedJobError

    folder = run.logs / "slurm"
    folder.mkdir(parents=True, exist_ok=True)
    executor = SlurmExecutor(folder=folder)
    executor.update_parameters(**wanted)
    if submission.tasks > 1:
        executor.parameters["map_count"] = submission.tasks
    words = (executor.python, "-u", "-m", _TASK, shlex.quote(str(run.directory)), stage.name, str(submission.number))
    try:
        # Not `submit_array`: it writes a pickle for each task, and each task imports numpy to read it.
        job = executor._submit_command(" ".join(words))
    except FailedJobError as error:
        raise WorkError(f"{run.name}: sbatch refused stage {stage.name}: {error}") from error
    return str(job.job_id)


def stage_parameters(
    name: str, assignment: Assignment, cluster: Cluster, stage: Stage, comment: str, code: Path | None = None
) -> dict[str, Any]:
    """Return submitit's parameters for a stage of the run ``name``, as assignment, template and profile say.

    Args:
        name: The run's.
        assignment: On what its stages run.
        cluster: The cluster's profile.
        stage: The stage.
        comment: Labels the job.
        code: Directory of the package that the jobs run; the installed one if not given.
    """
    on = assignment.on(stage)
    result = parameters(read_template(str(on.template)), cluster, on.resources, f"{name}/{stage.name}", comment)
    # Last, for modules may set PYTHONPATH; the copy of the package has no slurm/ beside it.
    result["setup"].append(f"export CHORALE_SLURM={shlex.quote(str(slurm_directory()))}")
    if code is not None:
        result["setup"].append(f'export PYTHONPATH={shlex.quote(str(code))}"${{PYTHONPATH:+:$PYTHONPATH}}"')
    return result


def with_dependencies(wanted: dict[str, Any], jobs: Sequence[str]) -> dict[str, Any]:
    """Return submitit's parameters for a job that waits until ``jobs`` have ended."""
    if not jobs:
        return wanted
    return {
        **wanted,
        "additional_parameters": {**wanted["additional_parameters"], "dependency": "afterany:" + ":".join(jobs)},
    }
