"""How the teacher is trained, and how teacher and student are evaluated."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from chorale.core.config import Config


class TeacherConfig(Config):
    """The teacher: a recipe of ours, or the user's own weights."""

    network: str = "resnet8"
    """A name of the registry, or ``module:function`` of the user's own, called with channels, height, width and
    classes."""
    weights: Path | None = None
    """A state dictionary that ``torch.load(weights_only=True)`` reads; trained by the recipe if not given."""
    taps: tuple[str, ...] = ()
    """Submodules of the user's own network whose outputs are pre-activations, shallow to deep; the registry's networks
    name theirs themselves."""
    steps: int = Field(1000, ge=1)
    """Steps of the optimizer."""
    batch: int = Field(128, ge=2)
    """Images per step, over all ranks."""
    rate: float = Field(0.1, gt=0)
    """Highest learning rate, reached after the warm-up; then half a cosine to 0 (Loshchilov and Hutter 2017)."""
    warmup_steps: int = Field(100, ge=0)
    """Steps over which the rate rises from 0."""
    momentum: float = Field(0.9, ge=0, lt=1)
    """Nesterov's."""
    weight_decay: float = Field(5e-4, ge=0)
    """Of SGD."""
    augmentation: Literal["none", "crop", "crop-flip"] = "none"
    """``crop``: four pixels of padding, then a random crop; ``flip``: left for right with chance 1/2."""
    evaluate_every: int | None = Field(None, ge=1)
    """Steps between two evaluations; once at the end if not given."""
    log_every: int = Field(50, ge=1)
    """Steps between two logged losses, each the mean over them."""
    required_accuracy: float | None = Field(None, gt=0, le=1)
    """Below this test accuracy of the teacher the run ends with an error, for nothing can be learnt from a bad one."""


class GeneratorConfig(Config):
    """The generator (Fang et al. 2019): its sizes and its optimizer."""

    network: str = "dfad"
    """``dfad``: of convolutions; ``mlp``: for points; or ``module:function`` of the user's own, called with latent,
    channels, height and width."""
    width: int = Field(128, ge=4)
    """Channels of the first convolutions of ``dfad``, the last has half as many; hidden width of ``mlp``."""
    scale: float = Field(3.0, gt=0)
    """Of ``mlp``: its points lie between minus this and this."""
    latent: int = Field(256, ge=1)
    """Length of z, standard normal."""
    rate: float = Field(1e-3, gt=0)
    """Of Adam."""
    steps: int = Field(1, ge=1)
    """Generator steps in a round."""

    @model_validator(mode="after")
    def _even(self) -> GeneratorConfig:
        if self.width % 2:
            raise ValueError("generator.width: an even number was expected")
        return self


class StudentConfig(Config):
    """The student and its optimizer."""

    network: str = "resnet8-half"
    """As of the teacher."""
    taps: tuple[str, ...] = ()
    """As of the teacher; as many."""
    rate: float = Field(0.1, gt=0)
    """Of SGD."""
    momentum: float = Field(0.9, ge=0, lt=1)
    """Of SGD."""
    weight_decay: float = Field(5e-4, ge=0)
    """Of SGD."""
    steps: int = Field(5, ge=1)
    """Student steps in a round, each on images of its own (on the same ones for ``zskt``)."""


class ScheduleConfig(Config):
    """How long is distilled. Arms are compared at the same number of images that the teacher is asked about."""

    queries: int = Field(200_000, ge=1)
    """Images that the teacher may be asked about; a whole number of rounds is done with them."""
    batch: int = Field(256, ge=2)
    """Images per step, over all ranks; even, since virtual interpolation pairs them."""
    decay_at: tuple[float, ...] = (0.4, 0.8)
    """Shares of the rounds after which both learning rates are divided by ten."""
    evaluations: int = Field(10, ge=1)
    """Evaluations on test images, spread evenly over the rounds, the last at the end."""
    log_every: int = Field(10, ge=1)
    """Rounds between two logged losses, each the mean over them."""
    sheet: int = Field(64, ge=4)
    """Images on each sheet of generated ones."""

    @model_validator(mode="after")
    def _fits(self) -> ScheduleConfig:
        if self.batch % 2:
            raise ValueError("schedule.batch: an even number was expected")
        if list(self.decay_at) != sorted(set(self.decay_at)) or any(not 0 < at < 1 for at in self.decay_at):
            raise ValueError("schedule.decay_at: rising numbers between 0 and 1 were expected")
        return self
