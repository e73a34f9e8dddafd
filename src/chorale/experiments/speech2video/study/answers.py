"""The answers that listeners send back: one CSV each, as their page wrote it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from chorale.core.errors import InputError
from chorale.experiments.speech2video.study.plan import Pair, Study
from chorale.experiments.speech2video.study.rows import read_rows

COLUMNS = ("study", "listener", "pair", "position", "left", "natural", "same_person")
"""Of an answer file; ``emotion_a`` and ``emotion_b`` follow where the study asks."""

_SIDES = ("a", "b")


class Answer(NamedTuple):
    """What a listener said of one pair.

    Attributes:
        listener: Who.
        pair: Of what.
        left: Which stood on the left: ``a``, the pair's first, or ``b``.
        natural: Which mouth moves more naturally, ``a`` or ``b``.
        same_person: Whether both show one person.
        emotions: Seen in a and in b; empty where it was not asked.
    """

    listener: str
    pair: Pair
    left: str
    natural: str
    same_person: bool
    emotions: tuple[str, ...]


def read_answers(paths: Sequence[Path], study: Study) -> list[Answer]:
    """Read the answers of all listeners.

    Args:
        paths: Their files, one or more listeners each, no listener in two.
        study: The key.

    Raises:
        InputError: A file is missing, lacks a column, is of another study, or holds an unknown pair or answer; a
            listener is in two files, or has answered a pair twice.
    """
    answers: list[Answer] = []
    file_of: dict[str, Path] = {}
    for path in paths:
        here = _read_one(path, study)
        for listener in dict.fromkeys(answer.listener for answer in here):
            if listener in file_of:
                raise InputError(
                    f"listener {listener} is in {file_of[listener]} and in {path}", "give each listener's answers once"
                )
            file_of[listener] = path
        answers += here
    if not answers:
        raise InputError("there are no answers", "give the files that the listeners' pages wrote")
    return answers


def _read_one(path: Path, study: Study) -> list[Answer]:
    asked = ("emotion_a", "emotion_b") if study.emotions else ()
    pairs = study.shown_as()
    answers = []
    seen: set[tuple[str, str]] = set()
    for number, row in read_rows(path, (*COLUMNS, *asked)):
        where = f"{path}, line {number}"
        if row["study"] != study.name:
            raise InputError(
                f"{where}: study {row['study']}, not {study.name}", "give the key that was made with the page"
            )
        if row["pair"] not in pairs:
            raise InputError(f"{where}: unknown pair {row['pair']}", f"the key has 001 to {len(pairs):03d}")
        if (row["listener"], row["pair"]) in seen:
            raise InputError(f"{where}: {row['listener']} answers pair {row['pair']} twice", "remove one of the lines")
        seen.add((row["listener"], row["pair"]))
        for column in ("left", "natural"):
            _one_of(row[column], _SIDES, f"{where}: {column}")
        _one_of(row["same_person"], ("yes", "no"), f"{where}: same_person")
        for column in asked:
            _one_of(row[column], study.emotions, f"{where}: {column}")
        answers.append(
            Answer(
                row["listener"],
                pairs[row["pair"]],
                row["left"],
                row["natural"],
                row["same_person"] == "yes",
                tuple(row[column] for column in asked),
            )
        )
    return answers


def _one_of(value: str, allowed: Iterable[str], where: str) -> None:
    if value not in allowed:
        raise InputError(f"{where} is {value}", f"it must be one of: {', '.join(allowed)}")
