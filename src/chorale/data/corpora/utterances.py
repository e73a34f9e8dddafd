"""Utterances: what a speaker said, as one clip or as several joined."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chorale.core.errors import InputError
from chorale.media.audio.io import duration_s


@dataclass(frozen=True)
class Clip:
    """A recording or a part of one.

    Attributes:
        path: The file.
        start_s: First second.
        end_s: Last second; None for the recording's end.
    """

    path: Path
    start_s: float = 0.0
    end_s: float | None = None

    def seconds(self) -> float:
        """Return its length, from the file's header if it reaches to the end."""
        return (duration_s(self.path) if self.end_s is None else self.end_s) - self.start_s


@dataclass(frozen=True)
class Utterance:
    """What is embedded and compared as one.

    Attributes:
        key: Its name in trial lists and feature stores; no white space, unique in its corpus, free of machine paths.
        speaker: Who speaks.
        language: Language tag; empty if unknown.
        group: What the speaker shares with others: package or corpus.
        clips: What it is made of, in order; no clip is part of two utterances.
    """

    key: str
    speaker: str
    language: str
    group: str
    clips: tuple[Clip, ...]


def join_clips(speaker: str, language: str, group: str, clips: Sequence[Clip], join_s: float) -> list[Utterance]:
    """Join consecutive clips of one speaker into utterances of at least ``join_s`` seconds.

    What is left at the end and is too short is added to the last utterance.

    Args:
        speaker: Who speaks in all of them.
        language: Language tag.
        group: Package or corpus.
        clips: In a fixed order.
        join_s: Seconds; 0 keeps each clip by itself.
    """
    bins: list[list[Clip]] = []
    length_s = join_s
    for clip in clips:
        if length_s >= join_s:
            bins.append([])
            length_s = 0.0
        bins[-1].append(clip)
        length_s += clip.seconds()
    if len(bins) > 1 and length_s < join_s:
        rest = bins.pop()
        bins[-1].extend(rest)
    return [
        Utterance(f"{speaker}/{index:04d}", speaker, language, group, tuple(part)) for index, part in enumerate(bins)
    ]


def limit_utterances(utterances: Sequence[Utterance], minimum: int, maximum: int | None) -> list[Utterance]:
    """Leave out speakers with too few utterances, and pick evenly from those with too many; order is kept.

    Raises:
        InputError: No two speakers are left, or two utterances share a key.
    """
    of_speaker: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        of_speaker[utterance.speaker].append(utterance)
    kept: list[Utterance] = []
    for speaker in sorted(of_speaker):
        own = of_speaker[speaker]
        if len(own) >= minimum:
            count = len(own) if maximum is None else min(len(own), maximum)
            kept.extend(own[index * len(own) // count] for index in range(count))
    if len({utterance.speaker for utterance in kept}) < 2:
        raise InputError(f"fewer than two speakers have {minimum} utterances", "check the corpus and its layout")
    keys = [utterance.key for utterance in kept]
    if len(set(keys)) != len(keys):
        raise InputError("two utterances share a name", "give recordings distinct names (the suffix does not count)")
    return kept


def fingerprint(utterances: Sequence[Utterance]) -> str:
    """Return 12 hexadecimal digits that change with the keys, the parts taken and the files' names and sizes."""
    digest = hashlib.sha256()
    for utterance in utterances:
        parts = [(c.path.name, c.path.stat().st_size, c.start_s, c.end_s) for c in utterance.clips]
        digest.update(repr((utterance.key, utterance.speaker, parts)).encode())
    return digest.hexdigest()[:12]
