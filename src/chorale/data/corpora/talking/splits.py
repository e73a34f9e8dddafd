"""Splits of talking clips: by utterance, by clip or by speaker, evenly over speakers and emotions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from chorale.core.errors import InputError
from chorale.core.logs import get_logger
from chorale.core.seeds import seed_for
from chorale.data.corpora.talking.clip import TalkingClip
from chorale.data.corpora.talking.config import TalkingSplitConfig

_log = get_logger(__name__)


class TalkingSplit(NamedTuple):
    """Clips of three disjoint sets of utterances, of clips or of speakers; in the order of reading."""

    train: list[TalkingClip]
    dev: list[TalkingClip]
    test: list[TalkingClip]


def split_clips(clips: Sequence[TalkingClip], config: TalkingSplitConfig, seed: int) -> TalkingSplit:
    """Split clips so that no group is in two parts, and every speaker and emotion has its share in each.

    A group is what one sentence, one clip or one speaker has. Groups are placed one after another, the largest first
    and equals by ``seed_for(seed, "split", group)``, each where the shares of its strata lag most behind. With
    ``n[p, s]`` clips of stratum s in part p, ``f[p]`` the part's wanted share and ``v[s]`` the group's clips, that is
    the part with the least ``sum over s of (n[p, s] / n[s] - f[p]) v[s] / n[s]``: the one in which the sum of squared
    deviations grows least. After Sechidis et al. 2011 (iterative stratification), for groups; our choice. Strata are
    speakers (unless split by them), speakers' sexes and emotions. The result does not depend on the order of reading.

    Where the same speakers are wanted in all parts, clips of dev and test whose speaker has none in training are left
    out, and that is logged.

    Raises:
        InputError: A part is left empty.
    """
    groups: dict[str, list[TalkingClip]] = defaultdict(list)
    for clip in clips:
        groups[_group(clip, config)].append(clip)
    part_of = _placed(groups, config, seed)
    parts: dict[str, list[TalkingClip]] = {name: [] for name in TalkingSplit._fields}
    for clip in clips:
        parts[part_of[_group(clip, config)]].append(clip)
    if config.kind != "speaker":
        _keep_observed(parts)
    for name, members in parts.items():
        if not members:
            raise InputError(
                f"the {name} split has none of {len(clips)} clips ({len(groups)} to split by {config.kind})",
                "take a larger corpus, other shares, or split by clip",
            )
    return TalkingSplit(**parts)


def _group(clip: TalkingClip, config: TalkingSplitConfig) -> str:
    if config.kind == "speaker":
        return clip.speaker
    # A tag, so that a sentence that is called as a clip is another group.
    if config.kind == "utterance" and clip.sentence is not None:
        return f"sentence {clip.sentence}"
    return f"clip {clip.key}"


def _strata(clip: TalkingClip, config: TalkingSplitConfig) -> list[str]:
    strata = [] if config.kind == "speaker" else [f"speaker {clip.speaker}"]
    strata += [f"emotion {clip.emotion}"] + ([f"sex {clip.sex}"] if clip.sex else [])
    return strata


def _placed(groups: dict[str, list[TalkingClip]], config: TalkingSplitConfig, seed: int) -> dict[str, str]:
    names = sorted({stratum for members in groups.values() for clip in members for stratum in _strata(clip, config)})
    index = {name: at for at, name in enumerate(names)}
    counts = {group: np.zeros(len(names)) for group in groups}
    for group, members in groups.items():
        for clip in members:
            for stratum in _strata(clip, config):
                counts[group][index[stratum]] += 1
    totals = np.sum(list(counts.values()), axis=0)
    wanted = np.array([1 - config.dev - config.test, config.dev, config.test])
    shares = np.zeros((len(wanted), len(names)))
    part_of = {}
    for group in sorted(groups, key=lambda name: (-len(groups[name]), seed_for(seed, "split", name), name)):
        own = counts[group] / totals
        # Rounded, so that what is equal but for the order of a sum stays equal, and training comes first.
        part = int(np.argmin(np.round((shares - wanted[:, np.newaxis]) @ own, 9)))
        shares[part] += own
        part_of[group] = TalkingSplit._fields[part]
    return part_of


def _keep_observed(parts: dict[str, list[TalkingClip]]) -> None:
    observed = {clip.speaker for clip in parts["train"]}
    for name in ("dev", "test"):
        kept = [clip for clip in parts[name] if clip.speaker in observed]
        if len(kept) < len(parts[name]):
            number = len(parts[name]) - len(kept)
            _log.warning("%d clips are left out of %s: their speakers have none in training", number, name)
        parts[name] = kept
