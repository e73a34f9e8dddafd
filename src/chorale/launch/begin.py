"""Begin a run with the stages known from the start, or open again what did not end well."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Any

from chorale.core.errors import InputError
from chorale.launch.plan import read_plan
from chorale.runs.context import Context
from chorale.runs.contract import Experiment, ExperimentConfig, Outcome, Stage
from chorale.runs.directory import Run
from chorale.runs.items import State, reopen

PREPARE = "prepare"


def first_stages(experiment: Experiment[Any], config: ExperimentConfig, closing: Sequence[Stage] = ()) -> list[Stage]:
    """Return the stages known from the start: fetching, the experiment's own, and ``closing`` ones such as a report."""
    own = [
        stage if stage.needs else stage.model_copy(update={"needs": (PREPARE,)}) for stage in experiment.stages(config)
    ]
    return [Stage(name=PREPARE, function=prepare), *own, *closing]


def prepare(context: Context, config: object) -> Outcome | None:
    """The first stage of every run: fetch what the others need. Under Slurm it runs where the user types."""
    context.run.experiment.prepare(config)
    return None


def reopen_failed(run: Run) -> int:
    """Make failed and cancelled items pending again, those of tolerant stages aside, and return how many there were.

    A tolerant stage's failures are results: the search has counted them and gone on.
    """
    count = 0
    for status in read_plan(run).values():
        if status.stage.tolerant and status.state is State.DONE:
            continue
        for record in status.records:
            if record.state in (State.FAILED, State.CANCELLED):
                reopen(run.stage_directory(status.stage.name), record)
                count += 1
    return count


def reopen_stage(run: Run, name: str) -> int:
    """Make every ended item of one stage pending again, from its beginning, and return how many there were.

    Raises:
        InputError: The run has no such stage.
    """
    plan = read_plan(run)
    if name not in plan:
        raise InputError(f"{run.name}: no stage {name!r}", f"its stages are: {', '.join(plan)}")
    ended = [record for record in plan[name].records if record.state.ended]
    # A training that has come to its end has saved that, and would only be read back.
    shutil.rmtree(run.checkpoints / name, ignore_errors=True)
    for record in ended:
        reopen(run.stage_directory(name), record)
    return len(ended)
