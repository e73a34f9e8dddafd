"""Lists, mel spectrograms and the store: what every training reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from chorale.core import files
from chorale.core.config import short_hash
from chorale.core.errors import InputError
from chorale.data.corpora.transcripts import read_transcripts
from chorale.data.corpora.utterances import Utterance as Recording
from chorale.data.corpora.utterances import fingerprint
from chorale.data.store.manifest import write_manifest
from chorale.data.store.reader import Store
from chorale.data.store.shard import ShardWriter, shard_is_complete
from chorale.experiments.fedtts.config import FedttsConfig
from chorale.experiments.fedtts.corpus.lists import (
    LISTS_FILE,
    SCALE_FILE,
    Utterance,
    describe,
    durations_key,
    read_lists,
    store_directory,
)
from chorale.experiments.fedtts.corpus.selection import choose, held_out, symbol_table
from chorale.experiments.fedtts.corpus.spectrograms import mel_scale, spectrogram
from chorale.experiments.fedtts.declaration import features_array
from chorale.experiments.fedtts.results import FEATURES_STAGE
from chorale.ranks.device import set_threads
from chorale.runs.context import Context
from chorale.runs.contract import Outcome


def make_lists(context: Context, config: FedttsConfig) -> Outcome:
    """List utterances with their symbols, hold some out, and declare the array that computes their spectrograms.

    The symbols are those of the whole corpus, held-out utterances included: a letter that only these have is one that
    training never sees, and no reason to fail.

    Raises:
        InputError: The corpus is not there, too small, or has no labels where they are wanted.
    """
    corpus = config.corpus
    transcripts = choose(read_transcripts(corpus.layout, corpus.root, corpus.languages, context.where.cache), corpus)
    if config.text.units == "labels" and not all(transcript.phones for transcript in transcripts):
        raise InputError(f"text.units: corpus.layout {corpus.layout} has no phone labels", "set text.units: graphemes")
    valid = held_out([transcript.key for transcript in transcripts], corpus.held_out)
    utterances = describe(transcripts, config.text, valid)
    table = symbol_table(utterances, config.text)
    recordings = fingerprint([Recording(t.key, t.speaker, t.language, t.group, (t.clip,)) for t in transcripts])
    labels = short_hash(repr([utterance.ends_s for utterance in utterances]))
    # Shards of another length hold other utterances under the same names.
    store = f"speech-{recordings}-{labels}-{config.mel.identity()}-{config.shard_utterances}"
    lines = [utterance.to_json() for utterance in utterances]
    contents = [(u.key, u.speaker, u.group, u.units, u.valid) for u in utterances]
    identity = short_hash(f"{store} {contents!r}")
    lists = {"identity": identity, "store": store, "symbols": list(table.names), "utterances": lines}
    files.write_json(context.artifacts / LISTS_FILE, lists)
    shards = -(-len(utterances) // config.shard_utterances)
    result: dict[str, Any] = {
        "identity": identity,
        "shards": shards,
        "symbols": len(table),
        "train": {"utterances": len(utterances) - len(valid)},
        "valid": {"utterances": len(valid)},
        "speakers": len({utterance.speaker for utterance in utterances}),
        "groups": len({utterance.group for utterance in utterances}),
    }
    return Outcome(result, [features_array(shards)])


def make_shard(context: Context, config: FedttsConfig) -> Outcome:
    """Compute the spectrograms of one shard's utterances, unless the cache holds them already.

    Raises:
        InputError: A recording is damaged, too short or silent, or its labels do not fit it.
    """
    lists = read_lists(context.run)
    shard: int = context.item
    path = store_directory(context.where.cache, lists) / shard_name(shard)
    lines = lists["utterances"][shard * config.shard_utterances :][: config.shard_utterances]
    if shard_is_complete(path, config.mel.identity()):
        return Outcome({"utterances": len(lines), "source": "cached"})
    set_threads(context.where.threads)
    with ShardWriter(path, config.mel.identity()) as writer:
        for utterance in map(Utterance.from_json, lines):
            try:
                mel, durations = spectrogram(utterance, config.mel)
            except InputError as error:
                where = str(utterance.clip.path)
                what = error.what if where in error.what else f"{where}: {error.what}"
                raise InputError(what, error.remedy) from error
            writer.add(utterance.key, mel)
            if durations is not None:
                # A shard holds one type of number; float32 is exact for counts of frames.
                writer.add(durations_key(utterance.key), durations.astype(np.float32))
    return Outcome({"utterances": len(lines), "source": "executed"})


def close_store(context: Context, config: FedttsConfig) -> Outcome:
    """Gather the shards into the store's manifest, and measure mean and deviation of the training part."""
    lists = read_lists(context.run)
    directory = store_directory(context.where.cache, lists)
    shards = len(context.records(FEATURES_STAGE))
    manifest = write_manifest(
        directory,
        config.mel.identity(),
        _rebuild(context.run.directory, context.where.runs, context.where.cache),
        [shard_name(shard) for shard in range(shards)],
    )
    store = Store.open(directory, config.mel.identity())
    keys = {part: [u["key"] for u in lists["utterances"] if u["valid"] is part] for part in (False, True)}
    mean, deviation = mel_scale(store[key] for key in keys[False])
    store.close()
    files.write_json(context.artifacts / SCALE_FILE, {"mean": mean.tolist(), "deviation": deviation.tolist()})
    hop_s = config.mel.hop / config.mel.sample_rate_hz
    frames = {part: sum(store.shape(key)[0] for key in keys[part]) for part in (False, True)}
    result: dict[str, Any] = {
        "shards": shards,
        "bytes": sum(record.bytes for record in manifest.shards),
        "utterances": len(lists["utterances"]),
        "train": {"frames": frames[False], "seconds": round(frames[False] * hop_s, 3)},
        "valid": {"frames": frames[True], "seconds": round(frames[True] * hop_s, 3)},
    }
    return Outcome(result)


def shard_name(shard: int) -> str:
    """Return the file name of a shard."""
    return f"shard-{shard:05d}.h5"


def _rebuild(run: Path, runs: Path, cache: Path) -> str:
    places = f"--where.runs {runs} --where.cache {cache}"
    return f"rm -f {{shard}} && chorale run {run / 'config.yaml'} {places} --again {FEATURES_STAGE}"
