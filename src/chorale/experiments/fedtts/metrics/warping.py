"""Exact dynamic time warping of two sequences of vectors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chorale.core.errors import InputError

Floats = NDArray[np.float64]

_MAX_CELLS = 400_000_000
"""Bytes of steps that are remembered: two recordings of 100 s at frames of 5 ms."""
_DIAGONAL, _FIRST, _SECOND = 0, 1, 2


class WarpingPath(NamedTuple):
    """Pairs of frames, from both beginnings to both ends.

    Attributes:
        first: Frame of the first sequence at each step of the path, ``(steps,)``.
        second: Frame of the second sequence, ``(steps,)``.
        distances: Euclidean distance of each pair, ``(steps,)``.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    distances: Floats


def warp(first: Floats, second: Floats) -> WarpingPath:
    """Return the path with the smallest sum of distances.

    Sakoe and Chiba 1978 without a window: ``D(i, j) = d(i, j) + min(D(i-1, j-1), D(i-1, j), D(i, j-1))`` from (0, 0)
    to the last frames, d Euclidean; every step counts once. Where sums are equal the diagonal step is taken, then that
    of the first sequence. All cells on an anti-diagonal are computed at once.

    Args:
        first: ``(frames, coefficients)``.
        second: ``(frames, coefficients)``, with as many coefficients.

    Raises:
        InputError: A sequence is empty, the widths differ, a value is not finite, or both are too long to align.
    """
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise InputError(f"alignment: sequences of shape {first.shape} and {second.shape} do not compare")
    n, m = len(first), len(second)
    if n == 0 or m == 0:
        raise InputError("alignment: a sequence holds no frame", "leave out what is shorter than a frame")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise InputError("alignment: a value is not finite", "mend what made the features")
    if n * m > _MAX_CELLS:
        raise InputError(f"alignment: {n} and {m} frames are too many to align", "compare shorter parts")
    steps = _steps(first, second)
    return _walked_back(steps, first, second)


def _steps(first: Floats, second: Floats) -> list[NDArray[np.uint8]]:
    # Cell i of diagonal k is (i, k - i). Arrays of sums start at cell -1, which no path may come from.
    n, m = len(first), len(second)
    backwards = second[::-1]
    before = np.full(n + 1, np.inf)
    last = np.full(n + 1, np.inf)
    steps: list[NDArray[np.uint8]] = []
    for k in range(n + m - 1):
        low, high = max(0, k - m + 1), min(k, n - 1) + 1
        difference = first[low:high] - backwards[m - 1 - k + low : m - 1 - k + high]
        distance = np.sqrt(np.einsum("ij,ij->i", difference, difference))
        sums = np.stack([before[low:high], last[low:high], last[low + 1 : high + 1]])
        step = sums.argmin(axis=0).astype(np.uint8)
        now = np.full(n + 1, np.inf)
        now[low + 1 : high + 1] = distance + (sums.min(axis=0) if k else 0.0)
        before, last = last, now
        steps.append(step)
    return steps


def _walked_back(steps: list[NDArray[np.uint8]], first: Floats, second: Floats) -> WarpingPath:
    m = len(second)
    i, j = len(first) - 1, m - 1
    pairs = [(i, j)]
    while i or j:
        k = i + j
        step = steps[k][i - max(0, k - m + 1)]
        i -= step in (_DIAGONAL, _FIRST)
        j -= step in (_DIAGONAL, _SECOND)
        pairs.append((i, j))
    along = np.array(pairs[::-1], dtype=np.int64)
    difference = first[along[:, 0]] - second[along[:, 1]]
    return WarpingPath(along[:, 0], along[:, 1], np.sqrt(np.einsum("ij,ij->i", difference, difference)))
