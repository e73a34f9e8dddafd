"""How the loop logs, evaluates and saves. No heavy imports: the command line loads this."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chorale.core.config import Config

StateName = Literal["python", "numpy", "torch", "cuda", "task", "accumulators"]


class CheckpointConfig(Config):
    """When a training is saved, and what is kept. Changes no result."""

    every_steps: int | None = Field(None, ge=1)
    """Steps between two checkpoints."""
    every_s: float | None = Field(600.0, gt=0)
    """Seconds between two checkpoints, beside ``every_steps``: what a host that dies without a signal may cost."""
    keep_last: int = Field(2, ge=1)
    """Newest checkpoints that stay."""
    keep_best: str | None = None
    """A metric of the evaluation, such as ``eer``: the checkpoint with the best value stays too."""
    highest_is_best: bool = False
    """Whether a higher ``keep_best`` is better."""
    leave_out: StateName | None = None
    """For tests: this state is not saved, and a test that going on is exact must fail."""


class LoopConfig(Config):
    """Steps of a training and what happens between them."""

    steps: int = Field(ge=1)
    """Steps of the optimizer."""
    log_every: int = Field(50, ge=1)
    """Steps between two logged values, each over the steps since the last."""
    evaluate_every: int | None = Field(None, ge=1)
    """Steps between two evaluations; none if not given."""
    checkpoint: CheckpointConfig = CheckpointConfig()
    """When a training is saved, and what is kept."""
    agree_share: float = Field(0.005, gt=0, lt=1)
    """Ranks ask one another whether to stop as seldom as keeps its cost below this share of the time."""
