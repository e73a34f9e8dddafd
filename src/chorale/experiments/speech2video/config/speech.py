"""How the speech encoder is built and pre-trained."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from chorale.core.config import Config
from chorale.experiments.speech2video.networks.shapes import STEP_SAMPLES


class SpeechConfig(Config):
    """Contrastive predictive coding. Defaults are CPC_audio's (**choice**, after the paper notes)."""

    channels: int = Field(256, ge=1)
    """Of the latents."""
    hidden: int = Field(256, ge=1)
    """Of the contexts: what student and generator are given."""
    ahead: int = Field(12, ge=1)
    """Steps of 10 ms that are guessed."""
    negatives: int = Field(128, ge=1)
    """Latents from which each right one is told."""
    window: int = Field(20480, ge=STEP_SAMPLES)
    """Samples of a training window, 1.28 s."""
    folder: Path | None = None
    """Further recordings to learn from, any below this folder; the clips' own speech is always among them."""
    steps: int = Field(20000, ge=1)
    """Steps of the optimizer."""
    batch: int = Field(64, ge=1)
    """Windows per step, over all ranks."""
    rate: float = Field(2e-4, gt=0)
    """Of Adam."""
    warmup_steps: int = Field(500, ge=0)
    """Steps over which the rate rises from 0."""
    log_every: int = Field(50, ge=1)
    """Steps between two logged losses."""
    evaluations: int = Field(10, ge=1)
    """On held-out speech, spread evenly, the last at the end."""

    @model_validator(mode="after")
    def _fits(self) -> SpeechConfig:
        if self.window % STEP_SAMPLES:
            raise ValueError(f"window: a multiple of {STEP_SAMPLES} was expected")
        if self.window // STEP_SAMPLES < 2 * self.ahead + 2:
            raise ValueError(f"window: at least {2 * self.ahead + 2} steps were expected, for {self.ahead} are guessed")
        return self
