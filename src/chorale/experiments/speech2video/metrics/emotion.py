"""Whether the emotion is seen: what a judge that had no part in the training says of the frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Recognition(NamedTuple):
    """How a judge's verdicts agree with what was spoken.

    Attributes:
        accuracy: Share of videos judged right.
        confusion: ``(classes, classes)``: videos by true class (rows) and by judged class.
        uniform_chance: ``1 / classes``: what guessing gets.
        majority_chance: What always naming the most frequent class gets.
    """

    accuracy: float
    confusion: NDArray[np.int64]
    uniform_chance: float
    majority_chance: float


def majority(logits: NDArray[Any]) -> int:
    """Return the class that most frames of a video are judged to be.

    Among classes with as many frames, the one with the larger sum of logits (our choice).

    Args:
        logits: ``(frames, classes)``; integers are taken as floats.

    Raises:
        ValueError: There is no frame, or a logit is not a number.
    """
    values = np.asarray(logits, np.float64)
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise ValueError(f"finite logits (frames, classes) were expected, got {values.shape}")
    votes = np.bincount(values.argmax(axis=1), minlength=values.shape[1])
    first = np.flatnonzero(votes == votes.max())
    return int(first[values.sum(axis=0)[first].argmax()])


def recognition(judged: Sequence[int], actual: Sequence[int], classes: int) -> Recognition:
    """Return accuracy, confusion and chance of a set of videos.

    Args:
        judged: Class of each video, such as :func:`majority` of it.
        actual: What it was to show.
        classes: How many there are.

    Raises:
        ValueError: There are no videos, lengths differ, or a class is out of range.
    """
    if not judged or len(judged) != len(actual):
        raise ValueError(f"as many verdicts as classes were expected, got {len(judged)} and {len(actual)}")
    if not all(0 <= one < classes for one in (*judged, *actual)):
        raise ValueError(f"classes from 0 to {classes - 1} were expected")
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (np.array(actual), np.array(judged)), 1)
    count = len(judged)
    largest = int(confusion.sum(axis=1).max())
    return Recognition(float(np.trace(confusion) / count), confusion, 1 / classes, largest / count)
