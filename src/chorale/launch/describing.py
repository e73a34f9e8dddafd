"""How a run stands, as data: from its directory, its heartbeats and, where it was submitted, the queue."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from chorale.core.errors import ChoraleError
from chorale.core.logs import get_logger
from chorale.launch.plan import Plan, overall, read_plan
from chorale.launch.slurm.assignment import read_assignment, was_submitted
from chorale.launch.slurm.clusters import find_cluster, reaching
from chorale.launch.slurm.queue import QueuedJob, waiting_and_running
from chorale.launch.slurm.settling import settle
from chorale.launch.slurm.submissions import comment_of
from chorale.runs.directory import Run
from chorale.runs.items import State, summarise
from chorale.runs.status import is_driven

_log = get_logger(__name__)


def describe(run: Run) -> dict[str, Any]:
    """Return a run's state, its stages, and every item that did not end well."""
    plan, queue = _current(run)
    stages = []
    for name, status in plan.items():
        hosts = sorted({record.host for record in status.records if record.host})
        seconds = sum(record.seconds or 0.0 for record in status.records)
        stages.append(
            {
                "stage": name,
                "state": status.state.value,
                "items": summarise(status.records),
                "attempts": max((record.attempt for record in status.records), default=0),
                "hosts": hosts,
                "seconds": round(seconds, 1),
                "queue": queue.get(name, ""),
            }
        )
    failures = [
        {
            "stage": name,
            "item": record.index,
            "attempt": record.attempt,
            "failure": record.failure.value,
            "host": record.host,
            "job": record.job,
            "message": record.message,
        }
        for name, status in plan.items()
        for record in status.records
        if record.failure is not None and record.state.ended
    ]
    return {**summary_row(run, plan), "stages": stages, "failures": failures}


def summary_row(run: Run, plan: Plan | None = None) -> dict[str, Any]:
    """Return one line about a run: state, items done, where it is carried out, last sign of life."""
    plan = plan if plan is not None else read_plan(run)
    records = [record for status in plan.values() for record in status.records]
    beats = [record.heartbeat for record in records if record.heartbeat]
    state = overall(plan).value
    submitted = was_submitted(run)
    if state == State.RUNNING and not submitted and not is_driven(run):
        alive = any(record.is_alive() for record in records)
        state = state if alive else "interrupted"
    return {
        "run": run.name,
        "state": state,
        "done": sum(record.state is State.DONE for record in records),
        "items": len(records),
        "where": read_assignment(run).cluster if submitted else run.config.where.executor,
        "heartbeat_age_s": round(time.time() - max(beats), 1) if beats else None,
        "directory": str(run.directory),
    }


def _current(run: Run) -> tuple[Plan, dict[str, str]]:
    """Return the plan, settled with the queue where there is one, and what the queue says by stage."""
    if was_submitted(run) and not overall(read_plan(run)).ended:
        try:
            cluster = find_cluster(read_assignment(run).cluster)
            plan = settle(run, cluster)
            with reaching(cluster):
                return plan, _by_stage(run, waiting_and_running())
        except ChoraleError as error:
            _log.warning("the queue cannot be asked (%s); what follows is from the run's directory alone", error)
    return read_plan(run), {}


def _by_stage(run: Run, jobs: Sequence[QueuedJob]) -> dict[str, str]:
    told: dict[str, list[str]] = {}
    prefix = comment_of(run, "", 0).partition("::")[0] + ":"
    for job in jobs:
        if job.comment.startswith(prefix):
            stage = job.comment.removeprefix(prefix).partition(":")[0]
            detail = f"{job.time_left} left" if job.state == "RUNNING" else job.reason
            told.setdefault(stage, []).append(f"{job.state.lower()} ({detail})")
    return {stage: ", ".join(f"{n} {what}" for what, n in Counter(states).items()) for stage, states in told.items()}
