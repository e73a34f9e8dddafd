"""Where the mouth is, and how far it is open: measures on 68 facial points (Sagonas et al. 2013, the iBUG order)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Points = NDArray[Any]
"""``(frames, 68, 2)``: x and y in pixels; NaN where there is no face; integers are taken as floats."""

MOUTH = slice(48, 68)
"""The mouth's points."""


def landmark_distance(points: Points, real: Points) -> float:
    """Return LMD (Chen et al. 2018): the mean distance of the mouth's points, in pixels of the frames.

    Each frame's mouth is centred on the mean of its points first, so that where the head is does not count. The mean is
    over points and frames. Pixels are the frames' own: figures of other sizes do not compare.

    Args:
        points: Of the generated video.
        real: Of the real one.

    Raises:
        ValueError: Shapes differ.
    """
    if points.shape != real.shape or points.shape[1:] != (68, 2):
        raise ValueError(f"two arrays (frames, 68, 2) were expected, got {points.shape} and {real.shape}")
    floats = (np.asarray(each, np.float64) for each in (points, real))
    first, second = (each[:, MOUTH] - each[:, MOUTH].mean(axis=1, keepdims=True) for each in floats)
    return float(np.linalg.norm(first - second, axis=2).mean())
