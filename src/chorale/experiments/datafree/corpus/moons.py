"""Two interleaved half circles: a problem whose decision boundary can be drawn."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from chorale.core.seeds import seed_for

MOON_NAMES: Final = ("upper moon", "lower moon")
_CENTRE: Final = np.array([0.5, 0.25])
_SPREAD: Final = np.array([0.87, 0.49])
"""Mean and standard deviation of the points without noise, so that both coordinates come out normalised."""


def two_moons(count: int, noise: float, seed: int, part: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return points as images and their labels: half circles of radius 1 about (0, 0) and (1, 0.5), one upside down.

    As scikit-learn's ``make_moons``, then normalised.

    Args:
        count: Points; the first half is of the upper moon.
        noise: Standard deviation of both coordinates about the half circles.
        seed: Of the noise.
        part: ``train`` or ``test``; another draw each.

    Returns:
        ``(count, 2, 1, 1)`` and ``(count,)``.
    """
    random = np.random.default_rng(seed_for(seed, "moons", part))
    upper = count // 2
    angles = np.concatenate([np.linspace(0, np.pi, upper), np.linspace(0, np.pi, count - upper)])
    labels = (np.arange(count) >= upper).astype(np.int64)
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points = np.where(labels[:, None] == 0, points, np.array([1.0, 0.5]) - points)
    points = (points + noise * random.standard_normal(points.shape) - _CENTRE) / _SPREAD
    return points.astype(np.float32).reshape(count, 2, 1, 1), labels
