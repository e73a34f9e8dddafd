"""An experiment of somebody else's: the small training of the tests, carried out by a launcher."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from chorale.core.errors import InputError
from chorale.ranks.config import BackendConfig
from chorale.runs.context import Context
from chorale.runs.contract import Experiment, ExperimentConfig, Outcome, Resources, Stage
from chorale.runs.directory import Run
from chorale.runs.parts import Part, Text
from chorale.training.config import CheckpointConfig


class FittingConfig(ExperimentConfig):
    experiment: Literal["fitting"] = "fitting"
    steps: int = Field(100, ge=1)
    fail_at: int | None = None
    """The step before which the last rank fails; -1 for before it has made its engine."""
    own_draws: bool = True
    """Whether each rank draws from generators of its own too, so that only as many ranks give the same numbers."""
    step_s: float = Field(0.05, ge=0)
    backend: BackendConfig = BackendConfig(kind="ddp", nodes=2)
    checkpoint: CheckpointConfig = CheckpointConfig(every_steps=10)


def fit(context: Context, config: FittingConfig) -> Outcome:
    from small_training import SEED, Scenario, SmallTask

    from chorale.ranks.device import set_threads
    from chorale.training.config import LoopConfig
    from chorale.training.loop import train

    set_threads(1)
    scenario = Scenario("", backend=config.backend.model_dump(), own_draws=config.own_draws, step_s=config.step_s)
    fails = context.ranks.rank == context.ranks.size - 1
    if fails and config.fail_at == -1:
        raise InputError("told to fail early", "do not")
    task = SmallTask(scenario, context.ranks, context.stop, None)
    task.fails_at = config.fail_at if fails else None
    loop = LoopConfig(steps=config.steps, log_every=1, checkpoint=config.checkpoint)
    trained = train(task, loop, context, SEED)
    return Outcome({"hash": task.engines[0].parameters_hash(), "ranks": context.ranks.size, **trained.metrics})


class Fitting(Experiment[FittingConfig]):
    name = "fitting"
    summary = "Fits noise."
    final_stage = "fit"
    config_class = FittingConfig

    def stages(self, config: FittingConfig) -> Sequence[Stage]:
        wished = Resources(nodes=config.backend.nodes, ranks_per_node=config.backend.ranks_per_node)
        return [Stage(name="fit", function=fit, kind=config.backend.stage_kind, resources=wished)]

    def report(self, run: Run, config: FittingConfig) -> Sequence[Part]:
        return [Text("What it does", "Fits noise.")]
