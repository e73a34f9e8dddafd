"""How batches are made and optimised, centrally and by each client."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from chorale.core.config import Config


class ReductionStage(Config):
    """A reduction factor and from when on it holds."""

    start: float = Field(ge=0, lt=1)
    """Share of the training done."""
    factor: int = Field(ge=1)
    """Mel frames per decoder step."""


class RecipeConfig(Config):
    """Central training."""

    steps: int = Field(2000, ge=1)
    """Steps of the optimizer."""
    batch: int = Field(16, ge=1)
    """Utterances per step, over all ranks."""
    rate: float = Field(1e-3, gt=0)
    """Highest learning rate, reached after the warm-up."""
    warmup_steps: int = Field(400, ge=1)
    """Steps over which the rate rises; after them it falls with the inverse square root (Noam's schedule)."""
    weight_decay: float = Field(0.0, ge=0)
    """Of AdamW."""
    reduction: tuple[ReductionStage, ...] = (ReductionStage(start=0.0, factor=1),)
    """Reduction factors, coarse ones first: "starting at r=1 most likely won't align" (as-ideas)."""
    log_every: int = Field(20, ge=1)
    """Steps between two logged losses, each the mean over them."""
    evaluate_every: int | None = Field(None, ge=1)
    """Steps between two validations; once at the end if not given."""

    @model_validator(mode="after")
    def _from_the_start(self) -> RecipeConfig:
        starts = [stage.start for stage in self.reduction]
        if not starts or starts[0] != 0 or starts != sorted(set(starts)):
            raise ValueError("reduction: stages with rising start, the first at 0, were expected")
        return self


class LocalConfig(Config):
    """What a client does in a round."""

    steps: int | None = Field(None, ge=1)
    """Steps of its optimizer; ``epochs`` counts instead if not given."""
    epochs: int = Field(1, ge=1)
    """Passes over its own utterances."""
    batch: int = Field(8, ge=1)
    """Utterances per step; fewer where a client has not so many."""
    optimizer: Literal["adam", "sgd"] = "adam"
    """Made anew each round: a client need not keep state between rounds."""
    rate: float = Field(1e-3, gt=0)
    """Its learning rate."""
    rate_decay: Literal["none", "inverse-sqrt"] = "none"
    """``inverse-sqrt``: divided by the square root of 1 + r / warmup_rounds, r rounds after the warm-up's end."""
    warmup_rounds: int = Field(0, ge=0)
    """Rounds over which the rate rises."""
    clip_norm: float | None = Field(1.0, gt=0)
    """Largest L2 norm of a step's gradient."""
