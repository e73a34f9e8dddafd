"""The verb that measures anyone's generated videos against the real ones, without the network that made them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from chorale.core.errors import InputError, MissingExtraError
from chorale.experiments.speech2video.metrics.files import matching
from chorale.experiments.speech2video.metrics.wording import render
from chorale.runs.contract import Command

if TYPE_CHECKING:
    from chorale.core.intervals import Interval
    from chorale.experiments.speech2video.metrics.tracks import FaceModels
    from chorale.experiments.speech2video.metrics.videos import Figures, Pair

_EVERY = 5


def compare(
    real: Path, generated: Path, faces: bool = True, every: int = _EVERY, seed: int = 0
) -> dict[str, JsonValue]:
    """Return the measures of one pair of videos, or of two folders of them.

    Args:
        real: A video, or a folder.
        generated: What is measured, likewise; in folders, of the same names.
        faces: Whether to look for faces; where the extra is missing a note says so.
        every: Frames after which a face is looked for again, and embedded.
        seed: Of shuffling and intervals.

    Raises:
        InputError: A file is missing, damaged or without partner, sizes or lengths do not match, or ``every`` is
            below 1.
    """
    from chorale.core.progress import Progress
    from chorale.experiments.speech2video.metrics.videos import measure

    if every < 1:
        raise InputError(f"--every {every}: at least 1")
    files = matching(real, generated)
    models, note = _models() if faces else (None, "")
    pairs = []
    with Progress("measure", len(files), "pairs") as progress:
        for both in files:
            pairs.append(measure(*both, models, every))
            progress.advance(note=both[0].name)
    result: dict[str, JsonValue] = {
        "real": str(real),
        "generated": str(generated),
        "pairs": [_to_json(names, pair) for names, pair in zip(files, pairs, strict=True)],
    }
    if note:
        result["note"] = note
    return result | _of_all(pairs, seed)


def metrics_command() -> Command:
    """Return the verb ``chorale speech2video metrics``."""
    return Command(
        name="metrics",
        help="measure generated videos against the real ones: pictures, lips, blinking, the person",
        add_arguments=_add_arguments,
        run=_run,
        render=render,
        examples=(
            "chorale speech2video metrics recording.mp4 generated.mp4",
            "chorale speech2video metrics recordings/ generated/ --json",
        ),
    )


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("real", type=Path, metavar="REAL", help="the recording, or a folder of recordings")
    parser.add_argument(
        "generated", type=Path, metavar="GENERATED", help="what is measured: as large and as long; in a folder, by name"
    )
    parser.add_argument("--no-faces", action="store_true", help="leave out what needs faces: quicker")
    parser.add_argument(
        "--every", type=int, default=_EVERY, metavar="N", help="look for the face every N frames (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of shuffling and intervals (default: %(default)s)")


def _run(arguments: argparse.Namespace) -> JsonValue:
    return compare(arguments.real, arguments.generated, not arguments.no_faces, arguments.every, arguments.seed)


def _models() -> tuple[FaceModels | None, str]:
    from chorale.experiments.speech2video.metrics.tracks import FaceModels

    try:
        return FaceModels(), ""
    except MissingExtraError as error:
        return None, f"Measures of faces are left out: {error}"


def _to_json(names: tuple[Path, Path], pair: Pair) -> dict[str, JsonValue]:
    return {
        "real": str(names[0]),
        "generated": str(names[1]),
        "frames": pair.frames,
        "frames_per_s": pair.frames_per_s,
        "height": pair.height,
        "width": pair.width,
        "identical_frames": pair.identical_frames,
        "frames_with_face": pair.frames_with_face,
        "figures": {**pair.figures},
        "real_figures": {**pair.real_figures},
    }


def _of_all(pairs: list[Pair], seed: int) -> dict[str, JsonValue]:
    from chorale.experiments.speech2video.metrics.videosets import frechet_faces, lips_of

    result: dict[str, JsonValue] = {}
    faces = frechet_faces(pairs)
    if faces is not None:
        result["frechet_faces"] = {
            "distance": faces.distance,
            "faces": list(faces.faces),
            "needed": faces.needed,
            "features": "dlib face recognition, 128",
        }
    if len(pairs) > 1:
        result["summary"] = _summary([pair.figures for pair in pairs], seed)
        result["real_summary"] = _summary([pair.real_figures for pair in pairs], seed)
        if faces is not None:
            lips = lips_of(pairs, seed)
            result["lips"] = {
                "utterances": lips.utterances,
                "matched": _interval(lips.matched),
                "shuffled": _interval(lips.shuffled),
                "difference": _interval(lips.difference),
            }
    return result


def _summary(figures: list[Figures], seed: int) -> dict[str, JsonValue]:
    from chorale.experiments.speech2video.metrics.videosets import summarise

    return {name: _interval(found) for name, found in summarise(figures, seed).items()}


def _interval(found: Interval | None) -> JsonValue:
    return None if found is None else {"mean": found.estimate, "low": found.low, "high": found.high}
