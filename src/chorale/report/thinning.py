"""Draw a long series with few points: what the eye would lose anyway goes, extremes stay."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

_KEPT_PER_BUCKET = 4  # first, last, lowest and highest


def thin(y: Sequence[float], at_most: int) -> list[int]:
    """Return the indices of at most ``at_most`` points to draw, in order.

    The series is cut into equal buckets of which the first, last, lowest and highest finite points stay
    (our choice, after the M4 aggregation of Jugel et al., PVLDB 7(10), 2014).

    Args:
        y: Ordinates.
        at_most: At least 4.
    """
    values = np.asarray(y, dtype=float)
    if len(values) <= at_most:
        return list(range(len(values)))
    edges = np.linspace(0, len(values), at_most // _KEPT_PER_BUCKET + 1).astype(int)
    kept: set[int] = set()
    for start, stop in itertools.pairwise(edges):
        kept |= {int(start), int(stop) - 1}
        bucket = values[start:stop]
        if np.isfinite(bucket).any():
            kept |= {int(start + np.nanargmin(_finite(bucket))), int(start + np.nanargmax(_finite(bucket)))}
    return sorted(kept)


def _finite(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, np.nan)
