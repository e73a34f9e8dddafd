"""GRID: 34 speakers, 1,000 sentences each (Cooke et al. 2006); the names of the files spell the sentences."""

from __future__ import annotations

import re
from pathlib import Path

from chorale.core.errors import InputError
from chorale.core.logs import get_logger
from chorale.data.corpora.talking.clip import TalkingClip
from chorale.media.video.opening import VIDEO_SUFFIXES

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_WORDS: tuple[dict[str, str], ...] = (
    {"b": "bin", "l": "lay", "p": "place", "s": "set"},
    {"b": "blue", "g": "green", "r": "red", "w": "white"},
    {"a": "at", "b": "by", "i": "in", "w": "with"},
    {letter: letter for letter in "abcdefghijklmnopqrstuvxyz"},
    dict(zip("z123456789", _DIGITS, strict=True)),
    {"a": "again", "n": "now", "p": "please", "s": "soon"},
)
"""Command, colour, preposition, letter (without w), digit, adverb, by the letter of the name."""

_SPEAKER = re.compile(r"s\d{1,2}")
_log = get_logger(__name__)


def spelled_sentence(name: str) -> str | None:
    """Return the sentence that a file's name spells: ``bbaf2n`` is ``bin blue at f two now``; None if it spells none.

    Args:
        name: Six letters, without the suffix.
    """
    if len(name) != len(_WORDS) or any(letter not in words for letter, words in zip(name, _WORDS, strict=True)):
        return None
    return " ".join(words[letter] for letter, words in zip(name, _WORDS, strict=True))


def read_grid(root: Path) -> list[TalkingClip]:
    """Read ``s1/bbaf2n.mpg`` at any depth below the root: the nearest folder ``s<number>`` above is the speaker.

    So the archives' own folders serve as they are (``s1/``, ``video/s1/``, ``s1/video/mpg_6000/``); where a clip is
    there at several sizes, the largest file is taken. The key is ``s1/bbaf2n``. There are no emotions. Word times are
    found in any ``bbaf2n.align`` below a folder of the speaker's, if there are some (times in them count 25,000 a
    second).

    Raises:
        InputError: No file is of that form.
    """
    videos: dict[str, Path] = {}
    labels: dict[str, Path] = {}
    strange = []
    for path in sorted(root.rglob("*")):
        suffix = path.suffix.lower()
        if suffix not in VIDEO_SUFFIXES and suffix != ".align":
            continue
        speaker = _speaker(path.relative_to(root))
        if speaker is None or spelled_sentence(path.stem) is None:
            strange.append(path)
        elif suffix == ".align":
            labels.setdefault(f"{speaker}/{path.stem}", path)
        else:
            key = f"{speaker}/{path.stem}"
            if key not in videos or path.stat().st_size > videos[key].stat().st_size:
                videos[key] = path
    if not videos:
        raise InputError(f"{root}: no videos of the form s1/bbaf2n.mpg", "check corpus.root and corpus.layout")
    if strange:
        _log.warning("%s: left out, with %d in all: not of the form s1/bbaf2n.mpg", strange[0], len(strange))
    order = sorted(videos, key=lambda key: (int(key.partition("/")[0][1:]), key))
    return [
        TalkingClip(
            key=key,
            speaker=key.partition("/")[0],
            video=videos[key],
            sentence=spelled_sentence(key.partition("/")[2]),
            phones=labels.get(key),
        )
        for key in order
    ]


def _speaker(path: Path) -> str | None:
    return next((part.name for part in path.parents if _SPEAKER.fullmatch(part.name)), None)
