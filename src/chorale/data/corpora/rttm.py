"""RTTM: who speaks when. Only stretches in which exactly one person speaks are taken."""

from __future__ import annotations

import itertools
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from chorale.core.errors import InputError
from chorale.data.corpora.utterances import Clip


class Turn(NamedTuple):
    """One line of an RTTM file."""

    recording: str
    start_s: float
    end_s: float
    speaker: str


def read_rttm(path: Path) -> list[Turn]:
    """Read the ``SPEAKER`` lines of an RTTM file: type, recording, channel, onset, duration, -, -, speaker.

    Raises:
        InputError: A line is not of that form.
    """
    turns = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        fields = line.split()
        if not fields or fields[0] != "SPEAKER":
            continue
        try:
            start_s, duration_s, speaker = float(fields[3]), float(fields[4]), fields[7]
        except (IndexError, ValueError) as error:
            raise InputError(f"{path}: line {number}: not an RTTM speaker line", "mend or remove the line") from error
        turns.append(Turn(fields[1], start_s, start_s + duration_s, speaker))
    return turns


def clean_stretches(turns: list[Turn], min_s: float) -> list[Turn]:
    """Return the stretches of at least ``min_s`` in which one speaker speaks alone, in order of recording and time."""
    of_recording: dict[str, list[Turn]] = defaultdict(list)
    for turn in turns:
        of_recording[turn.recording].append(turn)
    clean: list[Turn] = []
    for recording in sorted(of_recording):
        own = of_recording[recording]
        edges = sorted({edge for turn in own for edge in (turn.start_s, turn.end_s)})
        merged: list[Turn] = []
        for start_s, end_s in itertools.pairwise(edges):
            speakers = {turn.speaker for turn in own if turn.start_s <= start_s and turn.end_s >= end_s}
            if len(speakers) != 1:
                continue
            speaker = speakers.pop()
            if merged and merged[-1].speaker == speaker and merged[-1].end_s == start_s:
                merged[-1] = merged[-1]._replace(end_s=end_s)
            else:
                merged.append(Turn(recording, start_s, end_s, speaker))
        clean.extend(turn for turn in merged if turn.end_s - turn.start_s >= min_s)
    return clean


def cut(turn: Turn, path: Path, piece_s: float) -> list[Clip]:
    """Cut a stretch into equal pieces of at least ``piece_s``; one piece if it is shorter."""
    length_s = turn.end_s - turn.start_s
    count = max(1, int(length_s / piece_s)) if piece_s > 0 else 1
    edges = [round(turn.start_s + length_s * index / count, 3) for index in range(count + 1)]
    return [Clip(path, start_s, end_s) for start_s, end_s in itertools.pairwise(edges)]
