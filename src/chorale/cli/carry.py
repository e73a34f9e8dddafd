"""Carry a run out to its end, here or on a cluster, and tell how it ended."""

from __future__ import annotations

from typing import Any

from chorale.core.errors import ChoraleError, InputError, WorkError
from chorale.core.logs import get_logger
from chorale.launch.begin import PREPARE, first_stages, reopen_failed
from chorale.launch.execution import execute
from chorale.launch.plan import Plan, first_failure, overall, read_plan
from chorale.runs.contract import Experiment, ExperimentConfig, Stage
from chorale.runs.directory import Run
from chorale.runs.items import Failure, State
from chorale.runs.status import driving, write_status
from chorale.tracking.export import track_run

REPORT = "report"
_log = get_logger(__name__)


def begin_run(run: Run) -> Plan:
    """Declare the run's stages, open again what failed, and return the plan. Declaring twice changes nothing."""
    run.declare(stages_of(run.experiment, run.config))
    if overall(read_plan(run)) is not State.DONE:
        again = reopen_failed(run)
        if again:
            _log.info("%s: %d item(s) that did not end well are tried again", run.name, again)
    return read_plan(run)


def stages_of(experiment: Experiment[Any], config: ExperimentConfig) -> list[Stage]:
    """Return the stages that a run begins with, the report after the experiment's last."""
    report = Stage(name=REPORT, function="chorale.report.stage:report_stage", needs=(experiment.final_stage,))
    return first_stages(experiment, config, closing=[report])


def prepare_here(run: Run) -> None:
    """Fetch what the run needs in this process, where there is a terminal for progress and, likely, a network.

    Raises:
        ChoraleError: It failed.
    """
    stage = run.stages()[PREPARE]
    execute(run, stage, 0)
    fail_if_failed({PREPARE: read_plan(run)[PREPARE]})


def carry_out_here(run: Run, debug: bool = False) -> None:
    """Carry the run out in this process or in local workers, until it has ended.

    Raises:
        ChoraleError: The work failed, or its input was wrong.
    """
    from chorale.launch.local import default_workers, run_locally
    from chorale.launch.progress import PlanProgress
    from chorale.launch.worker import work

    where = run.config.where
    with driving(run):
        prepare_here(run)
        try:
            if debug or where.executor == "in-process":
                with PlanProgress(run.name) as progress:
                    work(run, debug=debug, watch=None if debug else progress.show)
            else:
                run_locally(run, where.workers or default_workers())
        finally:
            plan = read_plan(run)
            state = overall(plan)
            write_status(run, state, failure=first_failure(plan) or None)
    if state is State.DONE:
        track_run(run)
    fail_if_failed(plan)


def fail_if_failed(plan: Plan) -> None:
    """Raise the plan's first failure as an error with the exit status it calls for.

    Raises:
        InputError: What the user gave was wrong.
        WorkError: The work failed.
    """
    for status in plan.values():
        if status.state is State.FAILED:
            kinds = {record.failure for record in status.records if record.failure is not None}
            error: type[ChoraleError] = InputError if kinds == {Failure.INPUT} else WorkError
            raise error(status.reason)
