"""From clips to a store of aligned faces."""

from __future__ import annotations

import csv
import io
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from chorale.core import files
from chorale.core.errors import InputError
from chorale.data.corpora.rendered.corpus import corpus_folder, write_list
from chorale.data.corpora.talking.clip import TalkingClip
from chorale.data.corpora.talking.config import TalkingFacesConfig
from chorale.data.corpora.talking.read import read_talking_clips
from chorale.data.corpora.talking.splits import split_clips
from chorale.data.faces.report import REPORT_COLUMNS, summarise
from chorale.data.faces.shard import ShardReport, faces_identity, prepare_shard
from chorale.data.store.clip_store import write_clip_manifest
from chorale.experiments.speech2video.config import SpeechVideoConfig
from chorale.experiments.speech2video.declaration import faces_array
from chorale.experiments.speech2video.results import (
    FACES_STAGE,
    LISTS_FILE,
    REPORT_FILE,
    SHEETS_FOLDER,
    read_lists,
    shard_name,
    store_folder,
)
from chorale.ranks.device import set_threads
from chorale.runs.context import Context
from chorale.runs.contract import Outcome


def make_lists(context: Context, config: SpeechVideoConfig) -> Outcome:
    """List the clips, split them, and declare the array that prepares them.

    Raises:
        InputError: The corpus is not there, or too small to be split.
    """
    if config.rendered is not None:
        write_list(config.rendered, context.where.cache)
    clips = _clips(context, config)
    split = split_clips(clips, config.split, config.seed)
    parts = {clip.key: part for part, members in split._asdict().items() for clip in members}
    identity = faces_identity(clips, config.faces)
    lists: dict[str, Any] = {
        # Shards of another length hold other clips under the same names.
        "store": f"{identity}-{config.shard_clips}",
        "identity": identity,
        "parts": parts,
    }
    files.write_json(context.artifacts / LISTS_FILE, lists)
    shards = -(-len(clips) // config.shard_clips)
    counts: dict[str, JsonValue] = dict(Counter(parts.values()))
    return Outcome({"clips": len(clips), "shards": shards, **counts}, [faces_array(shards)])


def make_shard(context: Context, config: SpeechVideoConfig) -> Outcome:
    """Prepare the clips of one shard, unless the cache holds it.

    Raises:
        InputError: A file is missing that the corpus names.
    """
    set_threads(context.where.threads)
    lists, shard = read_lists(context.run), int(context.item)
    clips = _clips(context, config)[shard * config.shard_clips :][: config.shard_clips]
    path = store_folder(context.where.cache, lists) / shard_name(shard)
    report = prepare_shard(clips, config.faces, path, lists["identity"])
    kept = sum(clip.kept for clip in report.clips)
    return Outcome({"clips": len(clips), "kept": kept})


def close_store(context: Context, config: SpeechVideoConfig) -> Outcome:
    """Gather the shards into the store's manifest, and say of every clip what became of it.

    Raises:
        InputError: No clip was kept.
    """
    lists = read_lists(context.run)
    folder = store_folder(context.where.cache, lists)
    names = [shard_name(shard) for shard in range(len(context.records(FACES_STAGE)))]
    reports = [
        report
        for name in names
        for report in ShardReport.model_validate(files.read_json(folder / _beside(name, ".report.json"))).clips
    ]
    table = io.StringIO()
    writer = csv.DictWriter(table, REPORT_COLUMNS, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(report.row() for report in reports)
    files.write_text(context.artifacts / REPORT_FILE, table.getvalue())
    sheets = context.artifacts / SHEETS_FOLDER
    sheets.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copyfile(folder / _beside(name, ".png"), sheets / _beside(name, ".png"))
    if not any(report.kept for report in reports):
        raise InputError("no clip was kept", f"{context.artifacts / REPORT_FILE} says why")
    write_clip_manifest(folder, lists["identity"], _rebuild(context), names)
    parts = Counter(lists["parts"].get(report.key, "left out") for report in reports if report.kept)
    return Outcome({**summarise(reports), "parts": dict(parts)})


def _clips(context: Context, config: SpeechVideoConfig) -> list[TalkingClip]:
    source = config.corpus
    if config.rendered is not None:
        source = TalkingFacesConfig(layout="folder", root=corpus_folder(config.rendered, context.where.cache))
    assert source is not None
    return read_talking_clips(source, context.where.cache)


def _beside(shard: str, suffix: str) -> str:
    return Path(shard).with_suffix(suffix).name


def _rebuild(context: Context) -> str:
    places = f"--where.runs {context.where.runs} --where.cache {context.where.cache}"
    return f"rm -f {{shard}} && chorale run {context.run.directory / 'config.yaml'} {places} --again {FACES_STAGE}"
