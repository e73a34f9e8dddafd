"""Whether the mouth opens when the real one does, and no better for the right speech than for another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chorale.core.intervals import Interval
from chorale.core.seeds import seed_for
from chorale.experiments.speech2video.metrics.resampling import bootstrap_mean

_FEWEST = 3  # Two points always lie on a line.


class LipCorrelation(NamedTuple):
    """Correlations of lip apertures, means over utterances with bootstrap intervals over them.

    Attributes:
        matched: Generated with the real one of the same utterance; None of fewer than two that have a correlation.
        shuffled: Generated with the real one of another utterance: what speech at large explains.
        difference: Of these two, utterance by utterance.
        utterances: How many have both.
    """

    matched: Interval | None
    shuffled: Interval | None
    difference: Interval | None
    utterances: int


def correlation(first: NDArray[Any], second: NDArray[Any]) -> float | None:
    """Return Pearson's correlation over the frames that have both values.

    Args:
        first: ``(frames,)``, NaN where there is no face; integers are taken as floats.
        second: Likewise.

    Returns:
        None of fewer than three frames, or where one does not move.

    Raises:
        ValueError: Lengths differ.
    """
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if one.shape != other.shape or one.ndim != 1:
        raise ValueError(f"two arrays (frames,) were expected, got {one.shape} and {other.shape}")
    known = np.isfinite(one) & np.isfinite(other)
    if known.sum() < _FEWEST:
        return None
    one, other = one[known] - one[known].mean(), other[known] - other[known].mean()
    size = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / size if size else None


def partners(count: int, seed: int) -> list[int]:
    """Return another one for each of ``count``, each once and none itself: one cycle through all, drawn by the seed.

    Args:
        count: At least two.
        seed: Root of the draw.

    Raises:
        ValueError: There are not two.
    """
    if count < 2:
        raise ValueError(f"two or more were expected, got {count}")
    order = np.random.default_rng(seed_for(seed, "partners")).permutation(count)
    other = np.empty(count, np.int64)
    other[order] = np.roll(order, -1)
    return [int(one) for one in other]


def lip_correlation(generated: Sequence[NDArray[Any]], real: Sequence[NDArray[Any]], seed: int) -> LipCorrelation:
    """Return the correlation of apertures over a set of utterances, beside its control.

    The control pairs each generated video with the real one of another utterance, both cut to the shorter. That is what
    a network does which hears other speech. Take utterances of one speaker, or the control is easier than it seems.

    Args:
        generated: Aperture of each utterance's video, ``(frames,)``.
        real: Of the real video, as long, in the same order.
        seed: Of the shuffling and the draws.

    Raises:
        ValueError: Lengths differ.
    """
    if len(generated) != len(real):
        raise ValueError(f"as many generated as real were expected, got {len(generated)} and {len(real)}")
    if len(real) < 2:
        return LipCorrelation(None, None, None, 0)
    both = []
    for one, same, other in zip(generated, real, partners(len(real), seed), strict=True):
        shorter = min(len(one), len(real[other]))
        found = correlation(one, same), correlation(one[:shorter], real[other][:shorter])
        if found[0] is not None and found[1] is not None:
            both.append((found[0], found[1]))
    matched, shuffled = [pair[0] for pair in both], [pair[1] for pair in both]
    return LipCorrelation(
        bootstrap_mean(matched, seed),
        bootstrap_mean(shuffled, seed),
        bootstrap_mean([first - second for first, second in both], seed),
        len(both),
    )
