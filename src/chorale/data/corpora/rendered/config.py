"""Which talking heads are rendered, and how many."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, model_validator

from chorale.core.config import Config

Emotion = Literal["neutral", "anger", "disgust", "fear", "happy", "sad"]
EMOTIONS: Final[tuple[Emotion, ...]] = ("neutral", "anger", "disgust", "fear", "happy", "sad")
"""CREMA-D's six (Cao et al. 2014), in the order in which fewer are taken."""

VOICES: Final = 16
"""Voices there are to choose from, see ``voices.py``."""


class RenderedConfig(Config):
    """A corpus of rendered talking heads; it is a function of this alone."""

    speakers: int = Field(12, ge=2, le=VOICES)
    """Voices, each with a face of its own; half of them women's."""
    emotions: int = Field(6, ge=1, le=len(EMOTIONS))
    """So many of neutral, anger, disgust, fear, happy, sad."""
    clips: int = Field(4, ge=1)
    """Of each speaker in each emotion."""
    recorded: bool = True
    """Whether the first speaker has a man's recorded voice (festvox-ru); the others' is synthesised."""
    shortest_s: float = Field(1.5, gt=0)
    """Sentences are spoken in parts, from pause to pause; a clip has at least so many seconds of them."""
    longest_s: float = Field(4.0, gt=0)
    """And at most so many."""
    height: int = Field(192, ge=64)
    """Of a frame, pixels; even."""
    width: int = Field(160, ge=64)
    """Likewise."""
    seed: int = Field(1, ge=0)
    """Of faces, sentences, emotions and every motion."""

    @model_validator(mode="after")
    def _fits(self) -> RenderedConfig:
        if self.height % 2 or self.width % 2:
            raise ValueError("height, width: even numbers were expected")
        if self.longest_s < 2 * self.shortest_s:
            raise ValueError("longest_s: at least twice shortest_s was expected, or few parts fit in between")
        return self

    @property
    def emotion_names(self) -> tuple[Emotion, ...]:
        """The emotions taken."""
        return EMOTIONS[: self.emotions]

    @property
    def count(self) -> int:
        """Clips of the whole corpus."""
        return self.speakers * self.emotions * self.clips
