"""Which recordings, how their text is read, and how they are heard."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from chorale.core.config import Config
from chorale.media.audio.config import MelConfig

__all__ = ["MelConfig", "TextConfig", "TranscriptsConfig"]


class TranscriptsConfig(Config):
    """Recordings with their text."""

    layout: Literal["festvox-ru", "ljspeech", "fillets"] = "festvox-ru"
    """``festvox-ru``: text and phone labels; ``ljspeech``: ``metadata.csv`` and ``wavs/``; ``fillets``: two actors
    per language."""
    root: Path | None = None
    """Top of the user's own tree in that layout; the catalogue's package if not given."""
    languages: tuple[str, ...] = ("nl", "cs")
    """Of ``fillets``."""
    max_utterances: int | None = Field(None, ge=1)
    """So many from the beginning of the corpus's own order; all if not given."""
    max_seconds: float = Field(20.0, gt=0)
    """Longer recordings are left out."""
    held_out: int = Field(32, ge=0)
    """Utterances for validation, spread evenly over the corpus; 0 validates on the training utterances."""


class TextConfig(Config):
    """How text becomes symbols."""

    units: Literal["labels", "graphemes", "espeak"] = "graphemes"
    """``labels``: the corpus's own phones; ``graphemes``: normalised letters; ``espeak``: espeak-ng's phonemiser."""
    language: str | None = None
    """Language tag for the normaliser and for espeak-ng; the corpus's own if not given."""
