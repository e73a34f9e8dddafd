"""Error rates of verification scores. Memory grows with the number of trials, never with thresholds times trials."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chorale.core.errors import InputError

Floats = NDArray[np.float64]


class ErrorRates(NamedTuple):
    """Both error rates at every threshold that tells scores apart, from "accept all" to "reject all".

    ``miss`` rises from 0 to 1 and ``false_alarm`` falls from 1 to 0, both of shape ``(thresholds + 1,)``.
    """

    miss: Floats
    false_alarm: Floats


class Trials(NamedTuple):
    """Trials in rising order of score, ready for rates under any weights.

    Attributes:
        order: Indices that sort the scores, ``(trials,)``.
        ends: Last position, in that order, of each run of equal scores, ``(thresholds,)``.
        target: Whether each trial, in that order, is a target trial, ``(trials,)``.
    """

    order: NDArray[np.int64]
    ends: NDArray[np.int64]
    target: NDArray[np.bool_]


def sort_trials(scores: ArrayLike, labels: ArrayLike) -> Trials:
    """Sort trials by score; equal scores are one threshold, whatever their order.

    Args:
        scores: ``(trials,)``; higher means more likely the same speaker.
        labels: ``(trials,)``; 1 for target, 0 for non-target trials.

    Raises:
        InputError: A score is NaN, a label is neither 0 nor 1, the lengths differ, or a kind of trial is missing.
    """
    values = np.asarray(scores, dtype=np.float64)
    kinds = np.asarray(labels)
    if values.ndim != 1 or values.shape != kinds.shape:
        raise InputError(f"scores: {values.shape} scores and {kinds.shape} labels", "give one label for each score")
    if np.isnan(values).any():
        raise InputError(f"scores: number {int(np.isnan(values).argmax()) + 1} is NaN", "mend what made the scores")
    if not np.isin(kinds, (0, 1)).all():
        raise InputError("scores: a label is neither 1 (target) nor 0 (non-target)")
    n_target = int(np.count_nonzero(kinds))
    if n_target in (0, len(kinds)):
        missing = "target" if n_target == 0 else "non-target"
        raise InputError(f"scores: there is no {missing} trial", "error rates need trials of both kinds")
    order = np.argsort(values, kind="stable")
    values = values[order]
    ends = np.append(np.flatnonzero(values[1:] != values[:-1]), len(values) - 1)
    return Trials(order, ends, kinds[order].astype(bool))


def error_rates(trials: Trials, weights: Floats | None = None) -> ErrorRates:
    """Return the error rates at every threshold.

    Args:
        trials: From :func:`sort_trials`.
        weights: How often each trial counts, in the order the trials were given, ``(trials,)``; once if None.
    """
    counts = np.ones(len(trials.order)) if weights is None else np.asarray(weights, dtype=np.float64)[trials.order]
    miss = _share_below(np.where(trials.target, counts, 0.0), trials.ends)
    rejected = _share_below(np.where(trials.target, 0.0, counts), trials.ends)
    return ErrorRates(miss, 1.0 - rejected)


def equal_error_rate(rates: ErrorRates) -> float:
    """Return the rate at which misses and false alarms are equal.

    Between two thresholds the rates are joined by a straight line, the convex mixture of both decisions. Scores that
    are all equal thus give 0.5.
    """
    difference = rates.miss - rates.false_alarm
    above = int(np.argmax(difference >= 0))
    below = above - 1
    part = -difference[below] / (difference[above] - difference[below])
    return float(rates.miss[below] + part * (rates.miss[above] - rates.miss[below]))


def min_dcf(rates: ErrorRates, p_target: float, c_miss: float = 1.0, c_false_alarm: float = 1.0) -> float:
    """Return the smallest detection cost, normalised by the cost of the better constant decision (NIST SRE).

    ``min over thresholds of (Cm p Pmiss + Cf (1-p) Pfa) / min(Cm p, Cf (1-p))``: 1 is as good as no system.
    """
    cost = c_miss * p_target * rates.miss + c_false_alarm * (1.0 - p_target) * rates.false_alarm
    return float(cost.min() / min(c_miss * p_target, c_false_alarm * (1.0 - p_target)))


def dcf_name(p_target: float) -> str:
    """Return ``min_dcf_01`` for 0.01."""
    return f"min_dcf_{f'{p_target:f}'.rstrip('0').partition('.')[2]}"


def det_curve(rates: ErrorRates, points: int) -> ErrorRates:
    """Return at most ``points`` points of the DET curve, evenly spaced on its normal deviate axes.

    Rates of 0 and 1, which have no normal deviate, are left out.
    """
    from scipy.special import ndtri

    inside = (rates.miss > 0) & (rates.miss < 1) & (rates.false_alarm > 0) & (rates.false_alarm < 1)
    miss, false_alarm = rates.miss[inside], rates.false_alarm[inside]
    if len(miss) <= points:
        return ErrorRates(miss, false_alarm)
    along = ndtri(miss) - ndtri(false_alarm)
    kept = np.unique(np.searchsorted(along, np.linspace(along[0], along[-1], points)).clip(0, len(along) - 1))
    return ErrorRates(miss[kept], false_alarm[kept])


def _share_below(counts: Floats, ends: NDArray[np.int64]) -> Floats:
    cumulative = np.cumsum(counts)
    return np.concatenate([[0.0], cumulative[ends] / cumulative[-1]])
