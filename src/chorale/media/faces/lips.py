"""How far a mouth is open."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_INNER_UPPER: Final = (61, 62, 63)
_INNER_LOWER: Final = (67, 66, 65)
_OUTER_EYES: Final = (36, 45)


def lip_aperture(points: NDArray[Any]) -> NDArray[np.float64]:
    """Return how far the lips are apart, ``(frames,)``.

    The mean over three pairs of inner points, in distances between the outer corners of the eyes, so that near and far
    faces compare (our choice).

    Args:
        points: 68 of each frame in iBUG's order, ``(frames, 68, 2)``; NaN where there is no face.
    """
    points = np.asarray(points, np.float64)
    apart = np.linalg.norm(points[:, _INNER_LOWER] - points[:, _INNER_UPPER], axis=2).mean(axis=1)
    eyes = np.linalg.norm(points[:, _OUTER_EYES[1]] - points[:, _OUTER_EYES[0]], axis=1)
    return np.asarray(apart / np.maximum(eyes, 1e-9), np.float64)
