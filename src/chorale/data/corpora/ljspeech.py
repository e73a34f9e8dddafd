"""LJSpeech's layout: ``metadata.csv`` with lines ``id|text|normalised text``, and ``wavs/id.wav``."""

from __future__ import annotations

from pathlib import Path

from chorale.core.errors import InputError
from chorale.data.corpora.transcripts import Transcript, read_lines
from chorale.data.corpora.utterances import Clip

_COLUMNS = 3


def find_ljspeech(package: Path) -> Path:
    """Return the corpus within its unpacked package.

    Raises:
        InputError: It is not there.
    """
    for directory in package.glob("TTS*/tests/data/ljspeech"):
        return directory
    raise InputError(f"{package}: holds no LJSpeech clips", "run: chorale corpora fetch ljspeech-sample")


def read_ljspeech(root: Path) -> list[Transcript]:
    """Read ``root/metadata.csv``; the chapter, ``LJ001`` of ``LJ001-0007``, is the group.

    Raises:
        InputError: The file is missing, or a line of it has no three columns, no text, no recording, or a name twice.
    """
    path = root / "metadata.csv"
    transcripts: dict[str, Transcript] = {}
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        where = f"{path}: line {number}"
        columns = line.split("|")
        if len(columns) != _COLUMNS:
            count = f"{len(columns)} column{'s' if len(columns) > 1 else ''}"
            raise InputError(f"{where}: {count}, but {_COLUMNS} were expected", "write id|text|normalised text")
        key, text = columns[0].strip(), columns[2].strip()
        if not key or any(character.isspace() or character == "/" for character in key):
            raise InputError(f"{where}: {key!r} cannot name a recording", "write an id without white space or slash")
        if not text:
            raise InputError(f"{where}: {key}: the normalised text is empty", "write the text, or remove the line")
        if key in transcripts:
            raise InputError(f"{where}: {key}: the id stands twice", "remove one of the lines")
        recording = root / "wavs" / f"{key}.wav"
        if not recording.is_file():
            raise InputError(f"{where}: {key}: {recording} is missing", "restore the recording, or remove the line")
        chapter = key.rpartition("-")[0] or key
        transcripts[key] = Transcript(key, "ljspeech", "en", chapter, text, Clip(recording))
    return list(transcripts.values())
