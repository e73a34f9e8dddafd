"""Settle a run whose jobs Slurm carries: find out what became of them, and write the run's state down."""

from __future__ import annotations

from chorale.launch.plan import Plan, cancel_hopeless, first_failure, overall
from chorale.launch.slurm.clusters import Cluster, reaching
from chorale.launch.slurm.failures import pronounce_dead
from chorale.launch.slurm.submissions import read_submissions
from chorale.runs.directory import Run
from chorale.runs.items import State
from chorale.runs.status import write_status


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
