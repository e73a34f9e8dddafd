"""Many pairs of videos together: means, intervals over videos, and what only a set can show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from chorale.core.intervals import Interval
from chorale.experiments.speech2video.metrics.frechet import gaussian, gaussian_distance
from chorale.experiments.speech2video.metrics.lips import LipCorrelation, lip_correlation
from chorale.experiments.speech2video.metrics.resampling import bootstrap_mean
from chorale.experiments.speech2video.metrics.videos import Figures, Pair


class FrechetFaces(NamedTuple):
    """Fréchet distance of embedded faces: not the FID of published tables, whose features are Inception's.

    Attributes:
        distance: None where there are too few faces for a covariance of full rank.
        faces: Generated and real ones.
        needed: More than this of each.
    """

    distance: float | None
    faces: tuple[int, int]
    needed: int


def summarise(figures: Sequence[Figures], seed: int) -> dict[str, Interval | None]:
    """Return mean and bootstrap interval over videos of every measure; None where fewer than two have it.

    Args:
        figures: Of each video.
        seed: Of the draws.
    """
    names = list(dict.fromkeys(name for each in figures for name in each))
    known = {name: [value for each in figures if (value := each.get(name)) is not None] for name in names}
    return {name: bootstrap_mean(values, seed) for name, values in known.items()}


def lips_of(pairs: Sequence[Pair], seed: int) -> LipCorrelation:
    """Return how the lips follow the real ones, beside the control of other utterances.

    Args:
        pairs: Measured with faces; others are left out.
        seed: Of shuffling and draws.
    """
    known = [pair.apertures for pair in pairs if pair.apertures]
    return lip_correlation([each[0] for each in known], [each[1] for each in known], seed)


def frechet_faces(pairs: Iterable[Pair]) -> FrechetFaces | None:
    """Return the distance of all generated faces to all real ones.

    Args:
        pairs: Measured with faces; others are left out.

    Returns:
        None if no face was looked for.
    """
    known = [pair.embeddings for pair in pairs if pair.embeddings]
    if not known:
        return None
    generated, real = (np.concatenate([each[side] for each in known]) for side in (0, 1))
    needed = generated.shape[1]
    counts = len(generated), len(real)
    if min(counts) <= needed:
        return FrechetFaces(None, counts, needed)
    return FrechetFaces(gaussian_distance(gaussian(generated), gaussian(real)), counts, needed)
