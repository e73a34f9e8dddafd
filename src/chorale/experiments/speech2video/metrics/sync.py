"""Whether lips and speech belong together, by a sync expert's embeddings of short windows of each."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FURTHEST = 15
"""Frames by which one is shifted against the other, each way (Chung and Zisserman 2016)."""

Floats = NDArray[np.float64]


class Sync(NamedTuple):
    """What the expert says of one video; a test set's figures are means over videos (Prajwal et al. 2020).

    Attributes:
        distance: LSE-D: the smallest mean distance over shifts; lower is better.
        confidence: LSE-C: the median over shifts minus the smallest; higher is better.
        offset_frames: The shift of the smallest: by how many frames the sound comes before its pictures; negative
            where it comes after.
    """

    distance: float
    confidence: float
    offset_frames: int


def lip_sync(speech: NDArray[Any], faces: NDArray[Any], furthest: int = FURTHEST, padded: bool = True) -> Sync:
    """Return LSE-D, LSE-C and the offset.

    With ``d(k)`` the mean over windows of the distance of face ``n`` to speech ``n + k``, for ``k`` of
    -15..15: ``D = min d``, ``C = median d - min d``, and the offset is minus the ``k`` of the smallest (Chung and
    Zisserman 2016, sec. 4.1; the names are of Prajwal et al. 2020). Distances are Euclidean, and hang on the scale of
    the embeddings: figures compare only between videos that the same expert has judged.

    Args:
        speech: Embeddings of consecutive windows, one a video frame, ``(windows, features)``; integers are taken as
            floats.
        faces: Of the windows of frames that begin with them, likewise.
        furthest: Frames of the largest shift.
        padded: Beyond the ends the speech is zeros, as in the authors' code, which published figures follow; otherwise
            only pairs that exist count.

    Raises:
        ValueError: Shapes differ, or there are no more windows than the largest shift.
    """
    mean = shift_distances(speech, faces, furthest, padded)
    best = int(mean.argmin())
    return Sync(float(mean[best]), float(np.median(mean) - mean[best]), furthest - best)


def shift_distances(speech: NDArray[Any], faces: NDArray[Any], furthest: int = FURTHEST, padded: bool = True) -> Floats:
    """Return the mean distance for every shift, ``(2 * furthest + 1,)``, speech from earliest to latest.

    Args:
        speech: See :func:`lip_sync`.
        faces: Likewise.
        furthest: Likewise.
        padded: Likewise.

    Raises:
        ValueError: See :func:`lip_sync`.
    """
    heard, seen = np.asarray(speech, np.float64), np.asarray(faces, np.float64)
    if heard.shape != seen.shape or heard.ndim != 2:
        raise ValueError(f"two arrays (windows, features) were expected, got {heard.shape} and {seen.shape}")
    count = len(heard)
    if count <= furthest:
        raise ValueError(f"more than {furthest} windows were expected, got {count}")
    around = np.pad(heard, ((furthest, furthest), (0, 0)))
    means = []
    for shift in range(-furthest, furthest + 1):
        apart = np.linalg.norm(seen - around[furthest + shift : furthest + shift + count], axis=1)
        means.append(float((apart if padded else apart[max(0, -shift) : count - max(0, shift)]).mean()))
    return np.array(means)
