"""Trial lists: which pairs of utterances are compared, as files ``label path path`` (1 target, 0 non-target)."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Collection, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from chorale.core.errors import InputError
from chorale.core.files import write_text
from chorale.core.seeds import seed_for
from chorale.data.corpora.config import TrialConfig
from chorale.data.corpora.utterances import Utterance


class Trial(NamedTuple):
    """One comparison."""

    label: int
    """1: the same speaker; 0: two speakers."""
    enroll: str
    """Key of an utterance."""
    test: str
    """Key of another."""


def make_trials(utterances: Sequence[Utterance], config: TrialConfig, seed: int) -> list[Trial]:
    """Draw trials, as many for each speaker as the material allows; no pair stands twice, in either order.

    Non-targets take the other speakers in turn, so that each pair of speakers is met about equally often.

    Raises:
        InputError: There are not two speakers, or no speaker has two utterances.
    """
    keys: dict[str, list[str]] = defaultdict(list)
    for utterance in utterances:
        keys[utterance.speaker].append(utterance.key)
    trials: list[Trial] = []
    met: set[frozenset[str]] = set()
    for speaker in sorted(keys):
        draw = random.Random(seed_for(seed, "trials", speaker))
        pairs = list(combinations(sorted(keys[speaker]), 2))
        chosen = draw.sample(pairs, min(config.targets_per_speaker, len(pairs)))
        trials.extend(Trial(1, *pair) for pair in sorted(chosen))
        trials.extend(_nontargets(speaker, keys, config.nontargets_per_speaker, met, draw))
    if {trial.label for trial in trials} != {0, 1}:
        raise InputError("trials need two speakers and two utterances of one", "take a larger corpus")
    return trials


def _nontargets(
    speaker: str, keys: dict[str, list[str]], count: int, met: set[frozenset[str]], draw: random.Random
) -> list[Trial]:
    left: dict[str, list[Trial]] = {}
    for other in sorted(keys.keys() - {speaker}):
        pairs = [Trial(0, own, key) for own in sorted(keys[speaker]) for key in sorted(keys[other])]
        fresh = [trial for trial in pairs if frozenset(trial[1:]) not in met]
        left[other] = draw.sample(fresh, min(count, len(fresh)))
    trials: list[Trial] = []
    while len(trials) < count and any(left.values()):
        for other in sorted(left):
            if left[other] and len(trials) < count:
                trials.append(left[other].pop())
    met.update(frozenset(trial[1:]) for trial in trials)
    return trials


def write_trials(path: Path, trials: Sequence[Trial]) -> None:
    """Write a trial list, whole or not at all."""
    write_text(path, "".join(f"{label} {enroll} {test}\n" for label, enroll, test in trials))


def read_trials(path: Path, keys: Collection[str] | None = None) -> list[Trial]:
    """Read a trial list: one of ours or anyone's of the same form, such as VoxCeleb1's.

    Args:
        path: The file.
        keys: Utterances that exist; every name in the list must be among them. None: not checked.

    Raises:
        InputError: The file is missing or empty, a line has another form, a name is unknown, or a label is missing
            altogether.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a readable trial list ({error})") from error
    known = None if keys is None else frozenset(keys)
    trials = []
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != 3 or fields[0] not in {"0", "1"}:
            raise InputError(f"{path}: line {number}: {line[:80]!r} is not 'label path path'", "labels are 1 and 0")
        for name in fields[1:]:
            if known is not None and name not in known:
                raise InputError(f"{path}: line {number}: {name}: no such utterance", "check corpus.root")
        trials.append(Trial(int(fields[0]), fields[1], fields[2]))
    if {trial.label for trial in trials} != {0, 1}:
        raise InputError(f"{path}: {len(trials)} trials, but both labels are needed", "add targets and non-targets")
    return trials
