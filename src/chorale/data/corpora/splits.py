"""Speaker-disjoint splits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from chorale.core.errors import InputError
from chorale.core.seeds import seed_for
from chorale.data.corpora.config import SplitConfig
from chorale.data.corpora.utterances import Utterance


class Split(NamedTuple):
    """Utterances of three disjoint sets of speakers."""

    train: list[Utterance]
    dev: list[Utterance]
    test: list[Utterance]


def split_speakers(utterances: Sequence[Utterance], config: SplitConfig, seed: int) -> Split:
    """Split by speaker, each group (package) by itself, so that every part hears every kind of recording.

    Within a group speakers are ordered by ``seed_for(seed, "split", speaker)``: a speaker's place does not depend on
    the order of reading. A group of at least three speakers gives at least one to each part; smaller groups train.

    Raises:
        InputError: A part is left without two speakers (or training without any).
    """
    groups: dict[str, set[str]] = defaultdict(set)
    for utterance in utterances:
        groups[utterance.group].add(utterance.speaker)
    part_of: dict[str, str] = {}
    for group in sorted(groups):
        speakers = sorted(groups[group], key=lambda speaker: (seed_for(seed, "split", speaker), speaker))
        enough = len(speakers) >= 3
        n_test = max(1, round(config.test * len(speakers))) if enough else 0
        n_dev = max(1, round(config.dev * len(speakers))) if enough else 0
        for index, speaker in enumerate(speakers):
            part_of[speaker] = "test" if index < n_test else "dev" if index < n_test + n_dev else "train"
    for part, least in (("train", 1), ("dev", 2), ("test", 2)):
        count = sum(value == part for value in part_of.values())
        if count < least:
            raise InputError(f"the {part} split has {count} of at least {least} speakers", "take a larger corpus")
    return Split(*([u for u in utterances if part_of[u.speaker] == part] for part in Split._fields))
