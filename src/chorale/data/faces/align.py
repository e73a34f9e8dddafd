"""A folder of videos becomes a folder of aligned ones: what is done stays done, whatever interrupts the work."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from chorale.core.config import Config
from chorale.core.errors import InputError
from chorale.core.files import atomic_path, read_json, require_writable, write_json, write_text
from chorale.core.progress import Progress
from chorale.data.corpora.talking.clip import TalkingClip, fingerprint_clips
from chorale.data.corpora.talking.folder import COLUMNS, TABLE
from chorale.data.faces.config import FRAMES_PER_S, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME, FacesConfig
from chorale.data.faces.prepare import FaceClip, prepare_clip
from chorale.data.faces.report import REPORT_COLUMNS, ClipReport, summarise
from chorale.data.faces.sheet import Tile, tile_of, write_sheet
from chorale.media.faces.finder import FaceFinder
from chorale.media.video.frames import Frame
from chorale.media.video.write import writing_video

VIDEOS, RECORDS, SHEET, REPORT = "clips", "records", "sheet.png", "report"
"""What lies in the folder: aligned videos, a record and a picture of each clip, the contact sheet, ``report.csv`` and
``report.json``; and a table ``clips.csv`` of what was kept, so that the folder is itself a corpus."""

_finder: FaceFinder | None = None


class AlignRecord(Config):
    """That a clip is done, and what with."""

    made_from: str
    """Changes with the configuration and with the clip's files and labels."""
    report: ClipReport
    """What became of it."""


def align_clips(
    clips: Sequence[TalkingClip], config: FacesConfig, out: Path, workers: int = 1
) -> tuple[list[ClipReport], int]:
    """Write an aligned mp4 with sound for each clip that is worth keeping, and say of each other why it is dropped.

    A clip whose record is of this configuration and of these files is not done again.

    Args:
        clips: What to align.
        config: How.
        out: Where; see :data:`VIDEOS`.
        workers: Processes; 1 works in this one.

    Returns:
        The clips' reports in their order, and how many were done by this call.

    Raises:
        InputError: The folder cannot be written.
        MissingExtraError: dlib or its predictor is not installed.
    """
    require_writable(out)
    todo = [clip for clip in clips if _done(clip, config, out) is None]
    with Progress("align faces", len(clips)) as progress:
        progress.update(len(clips) - len(todo), f"{len(clips) - len(todo)} done before")
        for report in _work(todo, config, out, workers):
            progress.advance(note=f"{report.key}: {report.reason or 'kept'}")
    reports = [_record(clip, out).report for clip in clips]
    _write_reports(clips, reports, out)
    return reports, len(todo)


def _work(todo: Sequence[TalkingClip], config: FacesConfig, out: Path, workers: int) -> Iterator[ClipReport]:
    if workers <= 1 or len(todo) <= 1:
        for clip in todo:
            yield _align(clip, config, out)
        return
    # Decoders have threads of their own, which a fork would cut off.
    with ProcessPoolExecutor(min(workers, len(todo)), get_context("spawn")) as pool:
        futures = [pool.submit(_align, clip, config, out) for clip in todo]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _align(clip: TalkingClip, config: FacesConfig, out: Path) -> ClipReport:
    global _finder
    if _finder is None:
        torch.set_num_threads(1)
        _finder = FaceFinder()
    prepared = prepare_clip(clip, config, _finder)
    video, record, picture = _paths(clip, out)
    record.unlink(missing_ok=True)
    if prepared.clip is None:
        video.unlink(missing_ok=True)
    else:
        _write_video(video, prepared.clip)
    if prepared.picture is not None:
        with atomic_path(picture) as temporary:
            Image.fromarray(prepared.picture).save(temporary, format="PNG")
    done = AlignRecord(made_from=_made_from(clip, config), report=prepared.report)
    write_json(record, done.model_dump(mode="json"))
    return prepared.report


def _write_video(path: Path, clip: FaceClip) -> None:
    waveform = torch.from_numpy(clip.waveform)
    with writing_video(path, FRAMES_PER_S, SAMPLE_RATE_HZ) as writer:
        for at, frame in enumerate(clip.frames):
            writer.add(frame, waveform[at * SAMPLES_PER_FRAME : (at + 1) * SAMPLES_PER_FRAME])


def _done(clip: TalkingClip, config: FacesConfig, out: Path) -> ClipReport | None:
    video, path, _ = _paths(clip, out)
    if not path.is_file():
        return None
    try:
        record = _record(clip, out)
    except (InputError, ValueError):
        return None  # Damaged: done again.
    whole = video.is_file() or not record.report.kept
    return record.report if whole and record.made_from == _made_from(clip, config) else None


def _made_from(clip: TalkingClip, config: FacesConfig) -> str:
    return f"{config.identity()} {fingerprint_clips([clip])}"


def _record(clip: TalkingClip, out: Path) -> AlignRecord:
    return AlignRecord.model_validate(read_json(_paths(clip, out)[1]))


def _paths(clip: TalkingClip, out: Path) -> tuple[Path, Path, Path]:
    # A key may climb out of its corpus' folder where a table names files elsewhere; nothing is written out of ours.
    parts = [part for part in Path(clip.key).parts if part not in ("..", "/")]
    name = Path(*parts)
    records = out / RECORDS / name.parent
    return (
        out / VIDEOS / name.parent / f"{name.name}.mp4",
        records / f"{name.name}.json",
        records / f"{name.name}.png",
    )


def _write_reports(clips: Sequence[TalkingClip], reports: Sequence[ClipReport], out: Path) -> None:
    tiles = [_tile(clip, report, out) for clip, report in zip(clips, reports, strict=True)]
    write_sheet(out / SHEET, tiles)
    rows = [report.row() for report in reports]
    write_text(out / f"{REPORT}.csv", _table(REPORT_COLUMNS, rows))
    whole = {"summary": summarise(reports), "clips": [report.model_dump(mode="json") for report in reports]}
    write_json(out / f"{REPORT}.json", whole)
    kept = [
        {
            "file": _paths(clip, out)[0].relative_to(out).as_posix(),
            "speaker": clip.speaker,
            "emotion": clip.emotion or "",
            "sentence": clip.sentence or "",
            # Labels of a part or of a file elsewhere are not brought along: their times are the source's.
            "phones": str(clip.phones.absolute()) if clip.phones is not None and clip.start_s == 0 else "",
        }
        for clip, report in zip(clips, reports, strict=True)
        if report.kept
    ]
    write_text(out / TABLE, _table([name for name in COLUMNS if not kept or name in kept[0]], kept))


def _tile(clip: TalkingClip, report: ClipReport, out: Path) -> Tile:
    path = _paths(clip, out)[2]
    picture: Frame | None = None
    if path.is_file():
        with Image.open(path) as stored:
            picture = np.asarray(stored.convert("RGB"))
    return tile_of(report, picture)


def _table(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
