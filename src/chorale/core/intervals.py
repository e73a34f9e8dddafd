"""Medians and intervals over few seeds, where some values are censored."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from scipy.stats import t as student


class Interval(NamedTuple):
    """An estimate and its interval."""

    estimate: float
    low: float
    high: float


def t_interval(values: Sequence[float], confidence: float) -> Interval | None:
    """Return mean and ``mean ± t s / √n``, t of n - 1 degrees of freedom; None of fewer than two values.

    Holds where values are normal, which few seeds cannot show. With 3 values and 95 % it reaches 2.48 standard
    deviations to each side: only effects that are large beside the spread between seeds exclude anything.
    """
    if len(values) < 2:
        return None
    mean = statistics.fmean(values)
    count = len(values)
    quantile = float(student.ppf(0.5 + confidence / 2, count - 1))
    half = quantile * statistics.stdev(values) / math.sqrt(count)
    return Interval(mean, mean - half, mean + half)


def log_interval(values: Sequence[float], confidence: float) -> Interval | None:
    """Return the geometric mean and the t-interval of logarithms, turned back; None where a value is not above 0."""
    if any(value <= 0 for value in values):
        return None
    found = t_interval([math.log(value) for value in values], confidence)
    return None if found is None else Interval(*(math.exp(value) for value in found))


def censored_median(values: Sequence[float | None]) -> float | None:
    """Return the median, None counting as larger than any number; None if the median itself is not known."""
    if not values:
        return None
    median = statistics.median(math.inf if value is None else value for value in values)
    return None if math.isinf(median) else median
