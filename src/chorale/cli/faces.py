"""``chorale faces``: videos of people who speak, made ready for training."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any, NoReturn

from chorale.cli.options import Parser, add_json, print_json
from chorale.core.errors import InputError

_DESCRIPTION = """Find and follow the face in each video, bring eyes and nose to one place and size (smoothed over 7
frames), and write it with its sound at 25 frames a second and 16 kHz: an mp4 for each clip, a contact sheet, and a
report that says of each clip that was dropped why it was. What is done is not done again."""
_EPILOG = """
examples:
  chorale faces align videos                         every video below; the folder it lies in is its speaker
  chorale faces align clips --out aligned            clips/clips.csv names files, speakers, emotions, sentences
  chorale faces align CREMA-D --layout crema-d --workers 8
  chorale faces align clips --size 64x48 --min-face 30 --max-offset none

The result is a corpus itself: layout `folder`, with a table clips.csv of what was kept.
"""


class _ActionParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{self.prog}: {message}", f"see `{self.prog} --help`")


def main(words: list[str]) -> int:
    """Run the verb."""
    parser = Parser("faces", "Make videos of people who speak ready for training.")
    parser.epilog = "examples:\n  chorale faces align videos\n\n`chorale faces align --help` tells more."
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=_ActionParser)
    _add_align(actions)
    options = parser.parse_args(words)

    from chorale.data.corpora.talking.config import TalkingFacesConfig
    from chorale.data.corpora.talking.folder import TABLE
    from chorale.data.corpora.talking.read import read_talking_clips
    from chorale.data.faces.align import REPORT, SHEET, align_clips
    from chorale.data.faces.report import summarise

    directory: Path = options.directory.absolute()
    layout = options.layout or ("folder" if (directory / TABLE).is_file() else "videos")
    if layout == "folder" and not (directory / TABLE).is_file() and directory.is_dir():
        raise InputError(f"{directory}: has no {TABLE}", "write one, or choose --layout videos")
    out: Path = (options.out or directory.with_name(f"{directory.name}-aligned")).absolute()
    if directory == out or directory in out.parents:
        raise InputError(f"{out}: lies in {directory}, whose videos are read", "choose a folder elsewhere with --out")
    clips = read_talking_clips(
        TalkingFacesConfig(layout=layout, root=directory, max_clips=options.max_clips), Path("cache")
    )
    reports, new = align_clips(clips, _config(options), out, options.workers)
    summary = summarise(reports)
    if options.json:
        print_json({"out": str(out), "done_now": new, **summary})
    else:
        _print(summary, new, out, (SHEET, f"{REPORT}.csv"))
    if not summary["kept"]:
        raise InputError(f"{directory}: no clip was kept", f"{out / SHEET} shows why")
    return 0


def _add_align(actions: Any) -> None:
    align = actions.add_parser(
        "align",
        help="cut faces out of videos, aligned and judged",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    align.add_argument("directory", type=Path, metavar="DIR", help="where the videos lie")
    align.add_argument("--out", type=Path, metavar="DIR", help="where the result goes (default: DIR-aligned, beside)")
    align.add_argument(
        "--layout",
        choices=["folder", "videos", "crema-d", "grid"],
        help="default: folder where DIR has a clips.csv, otherwise videos",
    )
    align.add_argument("--size", default="128x96", metavar="HxW", help="height x width of a frame (default: 128x96)")
    align.add_argument("--max-clips", type=int, metavar="N", help="at most so many, evenly over speakers and emotions")
    align.add_argument("--min-s", type=float, metavar="S", help="drop shorter clips (default: 1)")
    align.add_argument("--max-s", type=float, metavar="S", help="read no more of a clip (default: 20)")
    align.add_argument("--min-face", type=float, metavar="PX", help="drop clips with smaller faces (default: 40)")
    align.add_argument(
        "--max-offset", metavar="S", help="drop clips whose sound is clearly off by more (default: 0.3; none: keep)"
    )
    align.add_argument(
        "--workers", type=int, default=_cores(), metavar="N", help="processes (default: %(default)s, the cores here)"
    )
    add_json(align)


def _config(options: argparse.Namespace) -> Any:
    from pydantic import ValidationError

    from chorale.data.faces.config import FacesConfig

    height, _, width = options.size.partition("x")
    quality: dict[str, Any] = {
        name: value
        for name, value in (("min_s", options.min_s), ("max_s", options.max_s), ("min_face_px", options.min_face))
        if value is not None
    }
    track: dict[str, Any] = {}
    if options.min_face is not None:
        track["smallest_px"] = max(16, int(options.min_face))
    if options.max_offset is not None:
        quality["max_offset_s"] = None if options.max_offset == "none" else options.max_offset
    try:
        return FacesConfig.model_validate({"height": height, "width": width, "quality": quality, "track": track})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "size"
        raise InputError(f"chorale faces align: {key}: {first['msg']}", "see `chorale faces align --help`") from None


def _print(summary: dict[str, Any], new: int, out: Path, names: tuple[str, ...]) -> None:
    print(f"{summary['kept']} of {summary['clips']} clips kept, {summary['seconds']} s ({new} done now)")
    for reason, count in summary["dropped"].items():
        print(f"  dropped: {reason:<20} {count}")
    if summary["offset"] is not None:
        offset = summary["offset"]
        print(
            f"sound after lips, all clips together: {offset['pooled_s']:+.3f} s (correlation {offset['correlation']}; "
            f"clear in {offset['clear_clips']} clips by themselves)"
        )
    print(out, *(out / name for name in names), sep="\n")


def _cores() -> int:
    return len(os.sched_getaffinity(0))
