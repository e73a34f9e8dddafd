"""Which talking faces, how many of them, and how they are split."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from chorale.core.config import Config

TalkingLayout = Literal["crema-d", "grid", "folder", "videos", "talking-real"]

CORPUS_OF_TALKING_LAYOUT: dict[TalkingLayout, str] = {"talking-real": "talking-real"}
"""The catalogue's corpus in each layout that has one."""


class TalkingFacesConfig(Config):
    """Clips of people who speak into a camera."""

    layout: TalkingLayout = "folder"
    """``crema-d``: ``VideoFlash/*.flv`` or ``VideoMP4/*.mp4`` with ``AudioWAV/*.wav``; ``grid``: ``s1/*.mpg``;
    ``folder``: a table ``clips.csv``; ``videos``: every video below the root, whose folder is the speaker;
    ``talking-real``: the catalogue's two clips, which take no root."""
    root: Path | None = None
    """Top of the user's own tree."""
    max_clips: int | None = Field(None, ge=1)
    """At most so many, evenly over speakers and emotions; None: all."""

    @model_validator(mode="after")
    def _root_where_needed(self) -> TalkingFacesConfig:
        if (self.layout in CORPUS_OF_TALKING_LAYOUT) != (self.root is None):
            raise ValueError(f"layout {self.layout} {'takes no' if self.root else 'needs a'} root")
        return self

    @property
    def corpus(self) -> str | None:
        """The catalogue's corpus that is read; None where a root is given."""
        return CORPUS_OF_TALKING_LAYOUT.get(self.layout)


class TalkingSplitConfig(Config):
    """What training and testing share, and how much is kept for testing."""

    kind: Literal["utterance", "clip", "speaker"] = "utterance"
    """``utterance``: the same speakers, no sentence in two parts (observed individuals, new words); ``clip``: the same
    speakers, no clip in two parts; ``speaker``: no speaker in two parts. The paper's test speakers were seen in
    training with other utterances (**abstract**): whether a sentence that another speaker says counts as another
    utterance is not told; ``utterance`` is the stricter reading."""
    dev: float = Field(0.1, gt=0, lt=1)
    """Share of the clips by which checkpoints are chosen."""
    test: float = Field(0.1, gt=0, lt=1)
    """Share of the clips that are touched once, at the end."""

    @model_validator(mode="after")
    def _something_left(self) -> TalkingSplitConfig:
        if self.dev + self.test >= 1:
            raise ValueError("dev and test leave no clip for training")
        return self
