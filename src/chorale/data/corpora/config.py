"""Which speakers, how they are split, and which pairs are tried."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from chorale.core.config import Config


class SpeakerCorpusConfig(Config):
    """Recordings whose speakers are known."""

    layout: Literal["packages", "voxceleb", "folder"] = "packages"
    """``packages``: a corpus of the catalogue; ``voxceleb``: ``id*/video/*``; ``folder``: ``speaker/*``."""
    corpus: str = "speakers"
    """Name in the catalogue (``packages`` only)."""
    root: Path | None = None
    """Top of the tree (``voxceleb`` and ``folder`` only)."""
    join_s: float = Field(3.0, ge=0)
    """``packages`` only: consecutive clips of a speaker are joined into utterances of at least this length. Single
    letters and words of 1 s tell words apart rather than voices; 3 s is the short end of what the field evaluates."""
    min_utterances: int = Field(3, ge=2)
    """Speakers with fewer are left out: two make a single target trial, which says nothing."""
    max_utterances: int | None = Field(60, ge=2)
    """At most so many per speaker, evenly picked, so that a few professionals do not outweigh all others; None: all."""

    @model_validator(mode="after")
    def _root_where_needed(self) -> SpeakerCorpusConfig:
        if (self.layout == "packages") != (self.root is None):
            raise ValueError(f"layout {self.layout} {'takes no' if self.root else 'needs a'} root")
        if self.max_utterances is not None and self.max_utterances < self.min_utterances:
            raise ValueError("max_utterances lies below min_utterances")
        return self


class SplitConfig(Config):
    """Shares of the speakers; the rest is for training."""

    dev: float = Field(0.25, gt=0, lt=1)
    """On which the search judges candidates."""
    test: float = Field(0.25, gt=0, lt=1)
    """Touched once, at the end."""

    @model_validator(mode="after")
    def _something_left(self) -> SplitConfig:
        if self.dev + self.test >= 1:
            raise ValueError("dev and test leave no speaker for training")
        return self


class TrialConfig(Config):
    """How many pairs are tried, for each speaker."""

    targets_per_speaker: int = Field(60, ge=1)
    """Pairs of the speaker's own utterances; fewer where there are not so many."""
    nontargets_per_speaker: int = Field(600, ge=1)
    """Pairs with another speaker's utterance, spread evenly over the others."""
