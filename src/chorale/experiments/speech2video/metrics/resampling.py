"""Intervals by drawing again what was sampled: utterances, videos, listeners."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import norm

from chorale.core.intervals import Interval
from chorale.core.seeds import seed_for

REPLICATES = 2000
CONFIDENCE = 0.95


def bootstrap_mean(values: Sequence[float], seed: int, confidence: float = CONFIDENCE) -> Interval | None:
    """Return the mean and its percentile bootstrap interval (Efron and Tibshirani 1993, sec. 13.3).

    Too narrow for few units: of 12 it holds the truth about 9 times in 10 where 95 % are asked for.

    Args:
        values: One of each unit that was sampled.
        seed: Root of the draws.
        confidence: Of the interval.

    Returns:
        None of fewer than two values.
    """
    return bootstrap_ratio(values, [1.0] * len(values), seed, confidence)


def bootstrap_ratio(
    numerators: Sequence[float], denominators: Sequence[float], seed: int, confidence: float = CONFIDENCE
) -> Interval | None:
    """Return ``sum numerators / sum denominators``, whole units drawn again with replacement.

    So a listener's answers stay together: a share of answers has an interval over listeners.

    Args:
        numerators: One of each unit, ``(units,)``.
        denominators: Likewise, at least 0.
        seed: Root of the draws.
        confidence: Of the interval.

    Returns:
        None of fewer than two units, or where nothing is to be divided by.

    Raises:
        ValueError: Lengths differ.
    """
    above, below = np.asarray(numerators, np.float64), np.asarray(denominators, np.float64)
    if above.shape != below.shape:
        raise ValueError(f"as many numerators as denominators were expected, got {len(above)} and {len(below)}")
    if len(above) < 2 or not below.sum():
        return None
    drawn = np.random.default_rng(seed_for(seed, "bootstrap")).integers(0, len(above), (REPLICATES, len(above)))
    sums, totals = above[drawn].sum(axis=1), below[drawn].sum(axis=1)
    # A draw of units that all have nothing below says nothing.
    ratios = sums[totals > 0] / totals[totals > 0]
    low, high = np.quantile(ratios, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return Interval(float(above.sum() / below.sum()), float(low), float(high))


def wilson(successes: int, trials: int, confidence: float = CONFIDENCE) -> Interval | None:
    """Return a share and its score interval (Wilson 1927), which takes trials for independent.

    ``(p + z²/2n ± z sqrt(p(1 - p)/n + z²/4n²)) / (1 + z²/n)``.

    Args:
        successes: How many.
        trials: Of how many.
        confidence: Of the interval.

    Returns:
        None of no trials.
    """
    if not trials:
        return None
    z = float(norm.ppf(0.5 + confidence / 2))
    share = successes / trials
    middle = share + z * z / (2 * trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return Interval(share, (middle - half) / scale, (middle + half) / scale)
