"""Which videos are shown in pairs, and the key that tells afterwards which was whose."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, ValidationError, model_validator

from chorale.core.config import Config
from chorale.core.errors import InputError
from chorale.core.files import read_json, write_json
from chorale.experiments.speech2video.study.rows import read_rows

COLUMNS = ("pair", "first_system", "first_video", "second_system", "second_video", "emotion")
"""Of the list that a study is made from."""
EMOTIONS = ("anger", "disgust", "fear", "happy", "neutral", "sad")
"""What CREMA-D's actors show."""

_PLAYED = (".mp4", ".webm")


class Pair(Config):
    """Two videos that are shown side by side."""

    name: str = Field(min_length=1)
    """The experimenter's; the page shows a number."""
    first_system: str = Field(min_length=1)
    """What made the first; ``real`` for a recording."""
    first_video: str
    """File."""
    second_system: str = Field(min_length=1)
    """What made the second."""
    second_video: str
    """File."""
    emotion: str = ""
    """What both are to show; empty where it is not known."""


class Study(Config):
    """The key of a study: it stays with the experimenter, the page does not hold it."""

    title: str = "Which video is more natural?"
    """Heading of the page."""
    seed: int = Field(0, ge=0)
    """Of orders and sides."""
    emotions: tuple[str, ...] = EMOTIONS
    """What listeners choose from; empty to leave the question out."""
    pairs: tuple[Pair, ...] = Field(min_length=1)
    """What is shown."""

    @model_validator(mode="after")
    def _sound(self) -> Study:
        names = [pair.name for pair in self.pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"pair {twice[0]} is there twice")
        for pair in self.pairs:
            if pair.first_system == pair.second_system:
                raise ValueError(f"pair {pair.name} shows {pair.first_system} twice")
            if self.emotions and pair.emotion and pair.emotion not in self.emotions:
                raise ValueError(f"pair {pair.name} shows {pair.emotion}, which is none of {', '.join(self.emotions)}")
        if len(self.emotions) == 1:
            raise ValueError("one emotion leaves no choice")
        return self

    @property
    def name(self) -> str:
        """Ten letters that stand for everything in the key; every answer carries them."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:10]

    def shown_as(self) -> dict[str, Pair]:
        """Return the pairs by the numbers that page and answers call them."""
        return {f"{number:03d}": pair for number, pair in enumerate(self.pairs, 1)}


def read_list(path: Path, title: str, seed: int, emotions: Sequence[str]) -> Study:
    """Read a CSV of pairs; its videos are looked for from its own folder.

    Args:
        path: With the columns of :data:`COLUMNS`; ``emotion`` may be missing.
        title: Heading of the page.
        seed: Of orders and sides.
        emotions: What listeners choose from.

    Raises:
        InputError: It is missing, lacks a column or a cell, or names a video that is missing or that browsers do not
            play.
    """
    pairs = []
    for number, row in read_rows(path, COLUMNS[:-1]):
        for column in ("first_video", "second_video"):
            video = path.parent / row[column]
            if not video.is_file():
                raise InputError(f"{path}, line {number}: {column} {row[column]}: no such file")
            if video.suffix.lower() not in _PLAYED:
                raise InputError(
                    f"{path}, line {number}: browsers do not play {row[column]}",
                    f"convert it, for example: ffmpeg -i {row[column]} {video.stem}.mp4",
                )
        pairs.append(
            {
                "name": row["pair"],
                "first_system": row["first_system"],
                "first_video": str(path.parent / row["first_video"]),
                "second_system": row["second_system"],
                "second_video": str(path.parent / row["second_video"]),
                "emotion": row.get("emotion") or "",
            }
        )
    if not pairs:
        raise InputError(f"{path}: names no pairs")
    return _checked({"title": title, "seed": seed, "emotions": tuple(emotions), "pairs": tuple(pairs)}, path)


def read_key(path: Path) -> Study:
    """Read the key that was written beside a page.

    Raises:
        InputError: It is missing, or no key.
    """
    return _checked(read_json(path), path)


def write_key(study: Study, path: Path) -> None:
    """Write the key.

    Raises:
        InputError: The folder cannot be written.
    """
    write_json(path, study.model_dump(mode="json"))


def _checked(values: object, path: Path) -> Study:
    try:
        return Study.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: {at + ': ' if at else ''}{first['msg'].removeprefix('Value error, ')}") from error
