"""festvox-ru: ``etc/txt.done.data`` with the texts, ``wav/*.wav``, and ``lab/*.lab`` with phones and their ends."""

from __future__ import annotations

import re
from pathlib import Path

from chorale.core.errors import InputError
from chorale.data.corpora.transcripts import Phone, Transcript, read_lines
from chorale.data.corpora.utterances import Clip

_LINE = re.compile(r'\(\s*(?P<key>\S+)\s+"(?P<text>(?:[^"\\]|\\.)*)"\s*\)')
_SPEAKER = "festvox-ru"
_GROUP_NUMBERS = 20
"""Names are numbers in the order of reading, and say nothing of sessions: so many numbers in a row make a group, 43
groups in all. Our choice."""


def find_festvox_ru(package: Path) -> Path:
    """Return the voice within its unpacked package.

    Raises:
        InputError: It is not there.
    """
    for directory in package.glob("usr/share/festival/voices/russian/msu_ru_nsh_clunits"):
        return directory
    raise InputError(f"{package}: holds no Russian voice", "run: chorale corpora fetch festvox-ru")


def read_festvox_ru(root: Path) -> list[Transcript]:
    """Read every text of ``root/etc/txt.done.data`` with the phones of its recording.

    Raises:
        InputError: A file is missing or empty, a line is not as Festvox writes it, or a name stands twice.
    """
    path = root / "etc" / "txt.done.data"
    transcripts: dict[str, Transcript] = {}
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        where = f"{path}: line {number}"
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise InputError(f'{where}: not of the form ( name "text" )', "mend or remove the line")
        key, text = match["key"], re.sub(r"\\(.)", r"\1", match["text"]).strip()
        if not text:
            raise InputError(f"{where}: {key}: the text is empty", "write the text, or remove the line")
        if key in transcripts:
            raise InputError(f"{where}: {key}: the name stands twice", "remove one of the lines")
        recording = root / "wav" / f"{key}.wav"
        if not recording.is_file():
            raise InputError(f"{where}: {key}: {recording} is missing", "restore the recording, or remove the line")
        phones = read_labels(root / "lab" / f"{key}.lab")
        transcripts[key] = Transcript(key, _SPEAKER, "ru", _group(key), text, Clip(recording), phones)
    return list(transcripts.values())


def read_labels(path: Path) -> tuple[Phone, ...]:
    """Read a label file of Festvox: after a line ``#``, lines ``end-in-seconds number phone``.

    Raises:
        InputError: It is missing or empty, a line is of another form, or a time does not rise.
    """
    lines = read_lines(path)
    header = next((number for number, line in enumerate(lines) if line.strip() == "#"), None)
    if header is None:
        raise InputError(f"{path}: no line # before the labels", "restore the file")
    phones: list[Phone] = []
    for number, line in enumerate(lines[header + 1 :], header + 2):
        fields = line.split()
        if not fields:
            continue
        try:
            end_s, symbol = float(fields[0]), fields[2]
        except (IndexError, ValueError) as error:
            raise InputError(f"{path}: line {number}: not a label (seconds, number, phone)", "mend the line") from error
        start_s = phones[-1].end_s if phones else 0.0
        if not end_s > start_s:
            raise InputError(f"{path}: line {number}: ends at {end_s:g} s, not after {start_s:g} s", "mend the line")
        phones.append(Phone(symbol, start_s, end_s))
    if not phones:
        raise InputError(f"{path}: holds no labels", "restore the file")
    return tuple(phones)


def _group(key: str) -> str:
    digits = re.search(r"(\d+)$", key)
    if digits is None:
        return key
    first = int(digits[1]) // _GROUP_NUMBERS * _GROUP_NUMBERS
    return f"{key[: digits.start()]}{first:0{len(digits[1])}d}"
