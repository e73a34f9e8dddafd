"""Lists, features and the store: what every training reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from pydantic import JsonValue

from chorale.core import files
from chorale.core.config import short_hash
from chorale.core.errors import InputError
from chorale.data.corpora.speakers import read_speakers
from chorale.data.corpora.splits import split_speakers
from chorale.data.corpora.trials import make_trials, write_trials
from chorale.data.corpora.utterances import fingerprint
from chorale.data.store.manifest import write_manifest
from chorale.data.store.shard import ShardWriter, shard_is_complete
from chorale.experiments.autovector.config import AutovectorConfig
from chorale.experiments.autovector.dataset import (
    LISTS_FILE,
    Part,
    clips_of,
    describe_utterance,
    read_lists,
    store_directory,
    trials_file,
)
from chorale.experiments.autovector.declaration import features_array
from chorale.experiments.autovector.results import FEATURES_STAGE
from chorale.media.audio.features import compute_features
from chorale.media.audio.io import read_audio
from chorale.ranks.device import set_threads
from chorale.runs.context import Context
from chorale.runs.contract import Outcome


def make_lists(context: Context, config: AutovectorConfig) -> Outcome:
    """List utterances, split speakers, draw trials, and declare the array that computes the features.

    Raises:
        InputError: The corpus is not there or too small.
    """
    utterances = read_speakers(config.corpus, context.where.cache)
    split = split_speakers(utterances, config.split, config.data_seed)
    parts: dict[Part, Any] = {"train": split.train, "dev": split.dev, "test": split.test}
    part_of = {utterance.key: part for part, members in parts.items() for utterance in members}
    checksums = {}
    counts: dict[str, JsonValue] = {}
    for part, members in parts.items():
        counts[part] = {"speakers": len({member.speaker for member in members}), "utterances": len(members)}
        if part != "train":
            path = context.artifacts / trials_file(part)
            write_trials(path, make_trials(members, config.trials, config.data_seed))
            checksums[part] = files.sha256(path)
    corpus = fingerprint(utterances)
    shards = -(-len(utterances) // config.shard_utterances)
    # Shards of another length hold other utterances under the same names.
    store = f"{corpus}-{config.features.identity()}-{config.shard_utterances}"
    split_text = sorted(f"{part} {key}" for key, part in part_of.items())
    lists: dict[str, Any] = {
        "identity": short_hash(f"{corpus} {config.features.identity()} {checksums} {split_text}"),
        "store": store,
        "utterances": [describe_utterance(utterance, part_of[utterance.key]) for utterance in utterances],
    }
    files.write_json(context.artifacts / LISTS_FILE, lists)
    return Outcome({"identity": lists["identity"], "shards": shards, **counts}, [features_array(shards)])


def make_shard(context: Context, config: AutovectorConfig) -> Outcome:
    """Compute the features of one shard's utterances, unless the cache holds them already.

    Raises:
        InputError: A recording is damaged, too short, or holds no speech.
    """
    lists = read_lists(context.run)
    shard: int = context.item
    path = store_directory(context.where.cache, lists) / shard_name(shard)
    entries = lists["utterances"][shard * config.shard_utterances :][: config.shard_utterances]
    if shard_is_complete(path, config.features.identity()):
        return Outcome({"utterances": len(entries), "source": "cached"})
    set_threads(context.where.threads)
    with ShardWriter(path, config.features.identity()) as writer:
        for entry in entries:
            clips = [
                read_audio(clip.path, config.features.sample_rate_hz, clip.start_s, clip.end_s)
                for clip in clips_of(entry)
            ]
            try:
                features = compute_features(torch.cat(clips), config.features)
            except InputError as error:
                raise InputError(f"{entry['clips'][0][0]}: {error.what}", error.remedy) from error
            writer.add(entry["key"], features.numpy())
    return Outcome({"utterances": len(entries), "source": "executed"})


def close_store(context: Context, config: AutovectorConfig) -> Outcome:
    """Gather the shards into the store's manifest."""
    directory = store_directory(context.where.cache, read_lists(context.run))
    shards = len(context.records(FEATURES_STAGE))
    manifest = write_manifest(
        directory,
        config.features.identity(),
        _rebuild(context.run.directory, context.where.runs, context.where.cache),
        [shard_name(shard) for shard in range(shards)],
    )
    total = sum(record.bytes for record in manifest.shards)
    return Outcome({"shards": shards, "bytes": total, "utterances": sum(len(r.keys) for r in manifest.shards)})


def shard_name(shard: int) -> str:
    """Return the file name of a shard."""
    return f"shard-{shard:05d}.h5"


def _rebuild(run: Path, runs: Path, cache: Path) -> str:
    places = f"--where.runs {runs} --where.cache {cache}"
    return f"rm -f {{shard}} && chorale run {run / 'config.yaml'} {places} --again {FEATURES_STAGE}"
