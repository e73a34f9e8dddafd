"""From clips to a store: one call prepares one shard, with a report and a contact sheet beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chorale.core.config import Config, short_hash
from chorale.core.errors import InputError
from chorale.core.files import read_json, write_json
from chorale.core.progress import Progress
from chorale.data.corpora.talking.clip import TalkingClip, fingerprint_clips
from chorale.data.faces.config import FacesConfig
from chorale.data.faces.prepare import prepare_clip
from chorale.data.faces.report import ClipReport
from chorale.data.faces.sheet import Tile, tile_of, write_sheet
from chorale.data.store.clips import ClipShardWriter, clip_shard_is_complete
from chorale.media.faces.finder import FaceFinder


class ShardReport(Config):
    """What became of the clips of a shard."""

    made_by: str
    """Identity of the shard that it belongs to."""
    clips: tuple[ClipReport, ...]
    """In the order in which they were given."""


def faces_identity(clips: Sequence[TalkingClip], config: FacesConfig) -> str:
    """Return the identity of a store: of the configuration and of the clips that it is made from."""
    return short_hash(f"{config.canonical()} {fingerprint_clips(clips)}")


def prepare_shard(
    clips: Sequence[TalkingClip], config: FacesConfig, path: Path, made_by: str | None = None
) -> ShardReport:
    """Prepare some clips and write what is worth keeping into one shard, unless a whole one is already there.

    Beside ``shard.h5`` and its record lie ``shard.report.json`` (each clip, kept or dropped and why) and ``shard.png``
    (a contact sheet). The arrays of a clip are ``frames``, ``waveform`` and ``landmarks``; its facts are its report's
    and ``speaker``, ``emotion`` and ``sentence``. Where every clip is dropped the shard is empty.

    Args:
        clips: What the shard is made from.
        config: How.
        path: Where the shard goes, ``*.h5``.
        made_by: Identity that the shard carries, the same for all shards of a store; :func:`faces_identity` of these
            clips if not given.

    Raises:
        InputError: The folder cannot be written, or, where ``made_by`` is not given, a file of a clip is missing.
        MissingExtraError: dlib or its predictor is not installed.
    """
    carried = made_by or faces_identity(clips, config)
    report_path = path.with_suffix(".report.json")
    if clip_shard_is_complete(path, carried):
        done = _read_report(report_path)
        if done is not None and done.made_by == carried:
            return done
    finder = FaceFinder()
    reports: list[ClipReport] = []
    tiles: list[Tile] = []
    with ClipShardWriter(path, carried) as writer, Progress(f"faces {path.stem}", len(clips)) as progress:
        for clip in clips:
            prepared = prepare_clip(clip, config, finder)
            if prepared.clip is not None:
                writer.add(clip.key, prepared.clip._asdict(), prepared.report.labels() | prepared.report.facts)
            reports.append(prepared.report)
            tiles.append(tile_of(prepared.report, prepared.picture))
            progress.advance(note=f"{sum(one.kept for one in reports)} kept")
    report = ShardReport(made_by=carried, clips=tuple(reports))
    write_sheet(path.with_suffix(".png"), tiles)
    write_json(report_path, report.model_dump(mode="json"))
    return report


def _read_report(path: Path) -> ShardReport | None:
    try:
        return ShardReport.model_validate(read_json(path))
    except (InputError, ValueError):
        return None  # Missing or damaged: the shard is made again.
