"""A folder with a table: ``clips.csv`` names the videos and says who speaks in them."""

from __future__ import annotations

import csv
import difflib
import math
from collections.abc import Sequence
from pathlib import Path

from chorale.core.errors import InputError
from chorale.data.corpora.talking.clip import TalkingClip
from chorale.data.corpora.transcripts import read_lines

TABLE = "clips.csv"
"""The table's name."""
COLUMNS = ("file", "speaker", "emotion", "sentence", "sound", "phones", "start_s", "end_s")
"""Its columns, in the order in which they are written."""

_NEEDED = COLUMNS[:2]


def read_clip_table(root: Path) -> list[TalkingClip]:
    """Read ``root/clips.csv``: comma-separated, UTF-8, with a first line of column names in any order.

    ``file`` (the video) and ``speaker`` are needed. ``emotion``, ``sentence``, ``sound`` (another file with the sound),
    ``phones`` (a file with phone or word times), ``start_s`` and ``end_s`` (a part of the video) may be there, and may
    be empty. Paths count from the table's folder. The key is ``file`` without its suffix, and ``@start_s`` for a part.

    Raises:
        InputError: The table is missing, is not UTF-8 or not CSV, lacks a column, has one that is not known, a line
            lacks a value, a file that it names is missing, or a clip stands twice.
    """
    path = root / TABLE
    lines = read_lines(path)
    if not any(line.strip() for line in lines):
        raise InputError(f"{path}: is empty", f"write a first line with: {','.join(_NEEDED)}")
    reader = csv.DictReader(lines, strict=True)
    try:
        _check_columns(path, reader.fieldnames or ())
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise InputError(f"{path}: line {reader.reader.line_num}: not CSV ({error})", "mend the line") from error
    clips: dict[str, tuple[int, TalkingClip]] = {}
    for number, row in rows:
        clip = _clip(root, f"{path}: line {number}", row)
        if clip.key in clips:
            first = clips[clip.key][0]
            raise InputError(f"{path}: line {number}: {clip.key} stands in line {first} too", "remove one of the lines")
        clips[clip.key] = number, clip
    if not clips:
        raise InputError(f"{path}: names no clip", "add a line for each")
    return [clip for _, clip in clips.values()]


def _check_columns(path: Path, names: Sequence[str]) -> None:
    found = [name.strip() for name in names]
    for name in _NEEDED:
        if name not in found:
            raise InputError(f"{path}: has no column {name}", f"name it in the first line, beside: {', '.join(found)}")
    for name in found:
        if name not in COLUMNS:
            near = difflib.get_close_matches(name, COLUMNS, n=1)
            remedy = f"did you mean {near[0]}?" if near else f"columns are {', '.join(COLUMNS)}"
            raise InputError(f"{path}: column {name!r} is not known", remedy)


def _clip(root: Path, where: str, row: dict[str, str | None]) -> TalkingClip:
    if None in row:
        raise InputError(f"{where}: has more values than there are columns", "put values with commas into quotes")
    values = {name.strip(): (value or "").strip() for name, value in row.items()}
    for name in _NEEDED:
        if not values[name]:
            raise InputError(f"{where}: {name} is empty", "fill it in, or remove the line")
    files: dict[str, Path | None] = {}
    for name in ("file", "sound", "phones"):
        text = values.get(name)
        files[name] = root / text if text else None
        if text and not (root / text).is_file():
            raise InputError(f"{where}: {root / text} is missing", "restore the file, or remove the line")
    start_s, end_s = _seconds(where, values, "start_s"), _seconds(where, values, "end_s")
    if start_s is not None and end_s is not None and not start_s < end_s:
        raise InputError(f"{where}: ends at {end_s:g} s, not after {start_s:g} s", "mend the line")
    video = files["file"]
    assert video is not None
    return TalkingClip(
        key=str(Path(values["file"]).with_suffix("")) + (f"@{start_s:g}" if start_s is not None else ""),
        speaker=values["speaker"],
        video=video,
        audio=files["sound"],
        emotion=values.get("emotion") or None,
        sentence=values.get("sentence") or None,
        phones=files["phones"],
        start_s=start_s or 0.0,
        end_s=end_s,
    )


def _seconds(where: str, values: dict[str, str], name: str) -> float | None:
    text = values.get(name)
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise InputError(f"{where}: {name}: {text!r} is not a number of seconds", "mend the line")
    return seconds
