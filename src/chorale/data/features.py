"""From utterances to a feature store: one call writes one shard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from chorale.core.config import short_hash
from chorale.core.errors import InputError
from chorale.core.progress import Progress
from chorale.data.corpora.utterances import Utterance, fingerprint
from chorale.data.store.shard import ShardWriter, shard_is_complete
from chorale.media.audio.config import FeatureConfig
from chorale.media.audio.features import compute_features
from chorale.media.audio.io import read_audio


class BadUtterance(NamedTuple):
    """An utterance that cannot be used, and why."""

    key: str
    reason: str


def store_hash(utterances: Sequence[Utterance], config: FeatureConfig) -> str:
    """Return the identity of a store: of the features and of the recordings that they are made from."""
    return short_hash(f"{config.canonical()} {fingerprint(utterances)}")


def utterance_features(utterance: Utterance, config: FeatureConfig) -> torch.Tensor:
    """Return an utterance's features, its clips joined as waveforms; float32 ``(frames, config.dim)``.

    Raises:
        InputError: A clip cannot be read, is empty or holds no speech; the clip is named.
    """
    waveforms = [read_audio(c.path, config.sample_rate_hz, c.start_s, c.end_s) for c in utterance.clips]
    try:
        return compute_features(torch.cat(waveforms), config)
    except InputError as error:
        raise InputError(f"{utterance.clips[0].path} ({utterance.key}): {error.what}", error.remedy) from error


def build_features(
    utterances: Sequence[Utterance], config: FeatureConfig, shard: Path, feature_hash: str | None = None
) -> bool:
    """Compute the features of some utterances and write them into one shard, unless a whole one is already there.

    Args:
        utterances: What the shard holds.
        config: What to compute.
        shard: Path of the shard, ``*.h5``.
        feature_hash: Identity that the shard carries, the same for all shards of a store; ``store_hash`` of these
            utterances if not given.

    Returns:
        Whether anything was computed.

    Raises:
        InputError: An utterance cannot be used (``find_bad_utterances`` lists them all), or the folder cannot be
            written.
    """
    identity = feature_hash or store_hash(utterances, config)
    if shard_is_complete(shard, identity):
        return False
    with ShardWriter(shard, identity) as writer, Progress(f"features {shard.stem}", len(utterances)) as progress:
        for utterance in utterances:
            writer.add(utterance.key, utterance_features(utterance, config).numpy())
            progress.advance()
    return True


def find_bad_utterances(utterances: Sequence[Utterance], config: FeatureConfig) -> list[BadUtterance]:
    """Return every utterance whose features cannot be computed, with the reason, for the caller to leave out."""
    bad = []
    for utterance in utterances:
        try:
            utterance_features(utterance, config)
        except InputError as error:
            bad.append(BadUtterance(utterance.key, str(error)))
    return bad
