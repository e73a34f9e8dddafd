"""What a face does by itself while it speaks: blinking, and moving the head."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chorale.media.faces.alignment import stable_points

Floats = NDArray[np.float64]

SHUT_BELOW = 0.2
"""Eye aspect ratio of a shut eye. Open ones have about 0.3; a common threshold, our choice."""
SHORTEST_S = 0.08
"""Two frames at 25 a second: blinks last 0.1 to 0.4 s, single frames are errors of the points."""

_EYES = (slice(36, 42), slice(42, 48))


class Blinks(NamedTuple):
    """How often eyes were shut.

    Attributes:
        blinks: Times.
        per_min: Blinks by minute of frames in which there was a face; None where there was none.
    """

    blinks: int
    per_min: float | None


class HeadMotion(NamedTuple):
    """How much the head moves; standard deviations over frames.

    Attributes:
        shift: Of eyes and nose, in distances between the eyes.
        roll_deg: Of the angle of the line through the eyes.
    """

    shift: float
    roll_deg: float


def eye_aspect_ratio(points: NDArray[Any]) -> Floats:
    """Return ``(|p2 - p6| + |p3 - p5|) / (2 |p1 - p4|)``, mean of both eyes, ``(frames,)`` (Soukupová and Čech 2016).

    Equation 1 there, p1 to p6 an eye's points from corner to corner above and back below.

    Args:
        points: ``(frames, 68, 2)``, iBUG's order; NaN where there is no face; integers are taken as floats.
    """
    ratios = []
    for eye in _EYES:
        p1, p2, p3, p4, p5, p6 = np.moveaxis(np.asarray(points, np.float64)[:, eye], 1, 0)
        tall = np.linalg.norm(p2 - p6, axis=1) + np.linalg.norm(p3 - p5, axis=1)
        ratios.append(tall / (2 * np.linalg.norm(p1 - p4, axis=1)))
    return np.asarray(np.mean(ratios, axis=0))


def blinks(
    ratio: NDArray[Any], frames_per_s: float, shut_below: float = SHUT_BELOW, shortest_s: float = SHORTEST_S
) -> Blinks:
    """Return how often the ratio falls below a threshold for long enough.

    The authors learn a classifier over 13 frames instead, which needs labelled blinks. People blink about 17 times a
    minute at rest and 26 in conversation (Bentivoglio et al. 1997).

    Args:
        ratio: From :func:`eye_aspect_ratio`, ``(frames,)``; NaN counts as open, and as no time.
        frames_per_s: Rate of the frames.
        shut_below: Ratio below which eyes are shut.
        shortest_s: What is shorter is no blink.
    """
    values = np.asarray(ratio, np.float64)
    shut = np.concatenate([[False], values < shut_below, [False]])
    edges = np.flatnonzero(shut[1:] != shut[:-1])
    lengths = edges[1::2] - edges[::2]
    # A length in frames is whole; the limit may miss it by rounding.
    count = int((lengths >= shortest_s * frames_per_s - 1e-6).sum())
    seconds = int(np.isfinite(values).sum()) / frames_per_s
    return Blinks(count, 60 * count / seconds if seconds else None)


def head_motion(points: NDArray[Any]) -> HeadMotion | None:
    """Return how much the head moves in the picture's plane (our choice of figure).

    Frames that were aligned to a mean face have nearly none: that is what aligning does. Compare with the real video,
    prepared alike.

    Args:
        points: ``(frames, 68, 2)``, iBUG's order; frames with NaN are left out; integers are taken as floats.

    Returns:
        None of fewer than two frames with a face.
    """
    values = np.asarray(points, np.float64)
    stable = stable_points(values[np.isfinite(values).all(axis=(1, 2))])
    if len(stable) < 2:
        return None
    line = stable[:, 1] - stable[:, 0]
    apart = float(np.linalg.norm(line, axis=1).mean())
    shift = float(np.sqrt(stable.var(axis=0).sum(axis=1).mean()))
    # Unwrapped, so that a face that lies on its side does not jump by a turn.
    roll = np.unwrap(np.arctan2(line[:, 1], line[:, 0]))
    return HeadMotion(shift / apart, float(np.rad2deg(roll.std())))
