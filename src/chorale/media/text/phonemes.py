"""Phones of a text by espeak-ng, run as a program."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence

from chorale.core.errors import InputError, WorkError

PROGRAM = "espeak-ng"
_BREAK = re.compile(r"\s*((?:[!(),.:;?]|(?<=\s)-(?=\s))+)\s*")
"""Marks at which espeak-ng would begin a new line, and drop them."""
_LANGUAGE_SWITCH = re.compile(r"\([a-z]{2,3}(?:-[a-z0-9-]+)?\)")
"""espeak-ng says ``(en)`` before a word that it reads by another language's rules."""


def phonemise(texts: Sequence[str], language: str) -> list[str]:
    """Return the phones of every text, in the International Phonetic Alphabet, with the text's own punctuation.

    All texts go through one run of the program, a clause a line: within a clause there is nothing at which espeak-ng
    begins a new line, so that its lines are ours. A clause too long for its buffer is run by itself.

    Args:
        texts: Normalised sentences.
        language: Name of a voice, such as ``en-us``, ``ru``, ``nl``, ``cs``.

    Raises:
        InputError: espeak-ng is not installed, or does not know the language.
        WorkError: It failed.
    """
    pieces = [_BREAK.split(text.strip()) for text in texts]
    clauses = [clause for piece in pieces for clause in piece[::2] if _has_letters(clause)]
    spoken = iter(_speak(clauses, language))
    phones = []
    for piece in pieces:
        said = [next(spoken) if _has_letters(clause) else "" for clause in piece[::2]]
        marks = [re.sub(r"\s", "", mark) for mark in piece[1::2]]
        phones.append(_join(said, marks))
    return phones


def _join(clauses: Sequence[str], marks: Sequence[str]) -> str:
    joined = clauses[0]
    for mark, clause in zip(marks, clauses[1:], strict=True):
        if mark[0] == "(":
            joined += f" {mark}{clause}"
        else:
            joined += f"{' ' if mark == '-' else ''}{mark} {clause}"
    return " ".join(joined.split())


def _has_letters(clause: str) -> bool:
    return any(character.isalnum() for character in clause)


def _speak(clauses: Sequence[str], language: str) -> list[str]:
    if not clauses:
        return []
    lines = _run("".join(f"{clause}\n" for clause in clauses), language)
    if len(lines) != len(clauses):
        lines = [" ".join(_run(f"{clause}\n", language)) for clause in clauses]
    return [" ".join(_LANGUAGE_SWITCH.sub(" ", line).split()) for line in lines]


def _run(text: str, language: str) -> list[str]:
    if shutil.which(PROGRAM) is None:
        raise InputError(
            f"{PROGRAM} is not installed", "install the system's package espeak-ng, or set text.units to graphemes"
        )
    command = [PROGRAM, "-q", "--ipa", "-v", language]
    done = subprocess.run(command, input=text, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode != 0:
        reason = " ".join(done.stderr.split())
        if "voice does not exist" in reason:
            raise InputError(f"{PROGRAM} has no voice {language!r}", f"`{PROGRAM} --voices` lists them")
        raise WorkError(f"{PROGRAM} ended with status {done.returncode} ({reason})")
    return done.stdout.splitlines()
