"""An array of items that sleep, and a count of them: for measuring and trying out launchers, not for science."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from chorale.runs.context import Context
from chorale.runs.contract import Experiment, ExperimentConfig, Outcome, Resources, Stage
from chorale.runs.directory import Run
from chorale.runs.items import State
from chorale.runs.parts import Part, Table

NAPS_STAGE = "naps"
COUNT_STAGE = "count"


class SleepConfig(ExperimentConfig):
    """What the array is made of."""

    experiment: str = "sleep"
    """Name of the experiment."""
    items: int = Field(4, ge=1)
    """How many items the array has."""
    seconds: float = Field(1.0, ge=0)
    """How long each of them sleeps."""
    per_task: int = Field(1, ge=1)
    """How many of them one task of a Slurm array does, one after the other."""
    fail_every: int | None = Field(None, ge=1)
    """Every so manieth item fails the first time it is tried."""


def nap(context: Context, config: SleepConfig) -> Outcome:
    """Sleep, and tell for how long, and whether this process had to import torch for it.

    Raises:
        RuntimeError: The configuration wants this item to fail, and this is its first attempt.
    """
    time.sleep(config.seconds)
    if config.fail_every and (context.index + 1) % config.fail_every == 0 and context.attempt == 1:
        raise RuntimeError("told to fail at the first attempt")
    return Outcome(result={"slept_s": config.seconds, "torch": "torch" in sys.modules})


def count(context: Context, config: SleepConfig) -> Outcome:
    """Count the items that ended well."""
    return Outcome(result={"done": sum(record.state is State.DONE for record in context.records(NAPS_STAGE))})


class Sleep(Experiment[SleepConfig]):
    """The launcher's yardstick."""

    name: ClassVar[str] = "sleep"
    summary: ClassVar[str] = "items that do nothing but sleep: the yardstick for launchers"
    final_stage: ClassVar[str] = COUNT_STAGE
    config_class = SleepConfig

    def stages(self, config: SleepConfig) -> Sequence[Stage]:
        """Return the array and the count."""
        naps = Stage(
            name=NAPS_STAGE,
            function=nap,
            kind="array",
            items=tuple(range(config.items)),
            tolerant=True,
            resources=Resources(per_task=config.per_task),
        )
        return [naps, Stage(name=COUNT_STAGE, function=count, needs=(NAPS_STAGE,))]

    def report(self, run: Run, config: SleepConfig) -> Sequence[Part]:
        """Return a table of how the items stand."""
        stage = run.stages()[NAPS_STAGE]
        states = [record.state for record in run.items(stage)]
        rows = [(state.value, states.count(state)) for state in State if state in states]
        return [Table(f"Items that sleep {config.seconds:g} s", ("state", "items"), rows)]
