"""Intervals for error rates: speakers, not trials, are what was sampled, so speakers are what is drawn again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chorale.core.seeds import seed_for
from chorale.experiments.autovector.metrics import Floats, Trials, equal_error_rate, error_rates


class Interval(NamedTuple):
    """The middle 95 % of the bootstrap distribution."""

    low: float
    high: float


_TAIL = 0.025


def bootstrap_eer(
    systems: Sequence[Sequence[Trials]],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    replicates: int,
    seed: int,
) -> Floats:
    """Return the mean EER of each system under speakers drawn with replacement, ``(replicates, systems)``.

    Every system sees the same draws, so that differences between columns are paired. A target trial counts as often
    as its speaker was drawn, a non-target trial as often as the two speakers' counts multiplied: each copy of a
    speaker is another speaker. (Our choice, after the subset bootstrap of Bolle et al. 2004.)

    Args:
        systems: For each system one :class:`Trials` per training seed, all of the same trial list.
        first: Speaker of the first side of each trial, ``(trials,)``, numbered from 0.
        second: Speaker of the second side.
        replicates: Draws.
        seed: Root of the draws.
    """
    rows = []
    for weights in _draws(first, second, replicates, seed):
        rows.append(
            [np.mean([equal_error_rate(error_rates(trials, weights)) for trials in seeds]) for seeds in systems]
        )
    return np.asarray(rows, dtype=np.float64)


def interval(values: Floats) -> Interval:
    """Return the percentile interval of bootstrap ``values`` ``(replicates,)``."""
    low, high = np.quantile(values, [_TAIL, 1.0 - _TAIL])
    return Interval(float(low), float(high))


def _draws(first: NDArray[np.int64], second: NDArray[np.int64], replicates: int, seed: int) -> Iterator[Floats]:
    same = first == second
    n_speakers = int(max(first.max(), second.max())) + 1
    for replicate in range(replicates):
        generator = np.random.default_rng(seed_for(seed, "bootstrap", replicate))
        counts = np.bincount(generator.integers(0, n_speakers, n_speakers), minlength=n_speakers).astype(np.float64)
        weights = np.where(same, counts[first], counts[first] * counts[second])
        # Two speakers or fewer may leave one kind of trial without weight; such a draw says nothing about a rate.
        if weights[same].any() and weights[~same].any():
            yield weights
