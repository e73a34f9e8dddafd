"""Two files, the real video and the generated one: everything that can be measured without the network that made it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chorale.core.errors import InputError
from chorale.experiments.speech2video.metrics.identity import acd_consistency, acd_reference
from chorale.experiments.speech2video.metrics.landmarks import landmark_distance
from chorale.experiments.speech2video.metrics.lips import correlation
from chorale.experiments.speech2video.metrics.motion import blinks, eye_aspect_ratio, head_motion
from chorale.experiments.speech2video.metrics.pictures import psnr, ssim
from chorale.experiments.speech2video.metrics.sharpness import cpbd
from chorale.experiments.speech2video.metrics.tracks import EVERY, FaceModels, FaceTrack
from chorale.media.faces.lips import lip_aperture
from chorale.media.video.frames import Frame, read_frames
from chorale.media.video.opening import look_at

_SPARE_FRAMES = 1  # Encoders and rounding give or take one.
_SMALLEST = 11  # Of SSIM's window.

Figures = dict[str, float | None]


@dataclass
class Pair:
    """What was measured of two files.

    Attributes:
        frames: Frames that were compared.
        frames_per_s: Their rate.
        height: Of a frame, pixels.
        width: Likewise.
        figures: Of the generated video, by name of the measure; None where it could not be measured.
        real_figures: Of the real video by itself, likewise.
        identical_frames: Frames equal in every byte, which have no PSNR.
        frames_with_face: In how many frames both have a face; None if none were looked for.
        apertures: Generated and real, ``(frames,)`` each; NaN where there is no face.
        embeddings: Generated and real, ``(faces, 128)`` each.
    """

    frames: int
    frames_per_s: float
    height: int
    width: int
    figures: Figures
    real_figures: Figures
    identical_frames: int = 0
    frames_with_face: int | None = None
    apertures: tuple[NDArray[np.float64], ...] = ()
    embeddings: tuple[NDArray[np.float64], ...] = field(default=(), repr=False)


def measure(real: Path, generated: Path, models: FaceModels | None, every: int = EVERY) -> Pair:
    """Compare two videos frame by frame, at the real one's rate; one frame of each is held at a time.

    Args:
        real: The recording.
        generated: What is measured.
        models: What looks at faces; None to leave these measures out.
        every: Frames after which the face is looked for again.

    Raises:
        InputError: A file is missing or damaged, or sizes or lengths do not match.
    """
    frames_per_s = look_at(real).frames_per_s or 25.0
    look_at(generated)
    tracks = None if models is None else (FaceTrack(models, every), FaceTrack(models, every))
    psnrs: list[float] = []
    ssims: list[float] = []
    sharpness: tuple[list[float | None], list[float | None]] = ([], [])
    height = width = 0
    for frame, truth in _in_step(real, generated, frames_per_s):
        height, width = truth.shape[:2]
        psnrs.append(psnr(frame, truth))
        ssims.append(ssim(frame, truth))
        for side, picture in enumerate((frame, truth)):
            sharpness[side].append(cpbd(picture))
            if tracks is not None:
                tracks[side].add(picture)
    differing = [value for value in psnrs if math.isfinite(value)]
    pair = Pair(
        len(psnrs), frames_per_s, height, width,
        {"psnr_db": _mean(differing), "ssim": _mean(ssims), "cpbd": _mean(sharpness[0])},
        {"cpbd": _mean(sharpness[1])},
        identical_frames=len(psnrs) - len(differing),
    )  # fmt: skip
    if tracks is not None:
        _add_faces(pair, *tracks)
    return pair


def _add_faces(pair: Pair, generated: FaceTrack, real: FaceTrack) -> None:
    sides = generated.points, real.points
    both = np.isfinite(sides[0]).all(axis=(1, 2)) & np.isfinite(sides[1]).all(axis=(1, 2))
    pair.frames_with_face = int(both.sum())
    pair.apertures = lip_aperture(sides[0]), lip_aperture(sides[1])
    pair.embeddings = generated.embeddings, real.embeddings
    pair.figures["lmd_px"] = landmark_distance(sides[0][both], sides[1][both]) if both.any() else None
    pair.figures["aperture_correlation"] = correlation(*pair.apertures)
    some = all(len(each) for each in pair.embeddings)
    pair.figures["acd_cosine"] = acd_reference(*pair.embeddings, "cosine") if some else None
    pair.figures["acd_euclidean"] = acd_reference(*pair.embeddings, "euclidean") if some else None
    for figures, points, faces in zip((pair.figures, pair.real_figures), sides, pair.embeddings, strict=True):
        figures["acd_within"] = acd_consistency(faces)
        figures["blinks_per_min"] = blinks(eye_aspect_ratio(points), pair.frames_per_s).per_min
        moved = head_motion(points)
        figures["head_shift"] = None if moved is None else moved.shift
        figures["head_roll_deg"] = None if moved is None else moved.roll_deg


def _in_step(real: Path, generated: Path, frames_per_s: float) -> Iterator[tuple[Frame, Frame]]:
    """Yield frames of the generated and of the real video, and make sure that both end together."""
    counts = [0, 0]
    for frame, truth in zip_longest(read_frames(generated, frames_per_s), read_frames(real, frames_per_s)):
        counts[0] += frame is not None
        counts[1] += truth is not None
        if frame is None or truth is None:
            continue
        if counts == [1, 1]:
            _check_sizes(real, truth, generated, frame)
        yield frame, truth
    if abs(counts[0] - counts[1]) > _SPARE_FRAMES:
        paths = generated, real
        longer = int(counts[1] > counts[0])
        end_s = min(counts) / frames_per_s
        raise InputError(
            f"{paths[longer]} has {max(counts)} frames at {frames_per_s:g} a second, {paths[1 - longer]} {min(counts)}",
            f"cut it, for example: ffmpeg -i {paths[longer]} -t {end_s:g} cut.mp4",
        )


def _check_sizes(real: Path, truth: Frame, generated: Path, frame: Frame) -> None:
    (height, width), found = truth.shape[:2], frame.shape[:2]
    if (height, width) != found:
        raise InputError(
            f"{real} has frames of {width} x {height}, {generated} of {found[1]} x {found[0]}",
            f"scale one of them, for example: ffmpeg -i {generated} -vf scale={width}:{height} scaled.mp4",
        )
    if min(height, width) < _SMALLEST:
        raise InputError(f"{real} has frames of {width} x {height}", f"at least {_SMALLEST} pixels each way are needed")


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
