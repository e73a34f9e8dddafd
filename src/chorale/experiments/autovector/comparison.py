"""The final comparison: three networks, several trainings each, on the trials that nothing else has touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chorale.experiments.autovector.bootstrap import bootstrap_eer, interval
from chorale.experiments.autovector.config import EvaluationConfig
from chorale.experiments.autovector.metrics import dcf_name, sort_trials

XVECTOR = "x-vector"
BEST = "best found"
RANDOM_MEDIAN = "random median"
NETWORKS = (XVECTOR, BEST, RANDOM_MEDIAN)
"""What is compared, in the table's order."""


def compare(
    trainings: Mapping[str, Sequence[Mapping[str, Any]]],
    scores: Mapping[str, Sequence[NDArray[np.float64]]],
    labels: NDArray[np.int64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    evaluation: EvaluationConfig,
    seed: int,
) -> list[dict[str, Any]]:
    """Return one row per network that was trained at least once, as JSON values.

    The interval of ``eer`` draws speakers again and averages over the trainings; it holds the doubt about speakers.
    The doubt about training is ``eer_deviation``, the standard deviation over seeds. ``difference`` is the EER minus
    the x-vector's under the same draws.

    Args:
        trainings: For each network the results of its trainings.
        scores: For each network the scores of its trainings, ``(trials,)`` each.
        labels: 1 for target, 0 for non-target, ``(trials,)``.
        first: Speaker of each trial's first side, ``(trials,)``.
        second: Speaker of its second side.
        evaluation: Priors and number of draws.
        seed: Root of the draws.
    """
    present = [network for network in NETWORKS if trainings.get(network)]
    systems = [[sort_trials(values, labels) for values in scores[network]] for network in present]
    drawn = bootstrap_eer(systems, first, second, evaluation.bootstrap, seed)
    rows: list[dict[str, Any]] = []
    for column, network in enumerate(present):
        results = trainings[network]
        errors = [float(result["eer"]) for result in results]
        low, high = interval(drawn[:, column])
        row: dict[str, Any] = {
            "network": network,
            "genome": results[0]["genome"],
            "trainings": len(results),
            "eer": float(np.mean(errors)),
            "eer_low": low,
            "eer_high": high,
            "eer_deviation": float(np.std(errors, ddof=1)) if len(errors) > 1 else None,
            "eer_each": errors,
            "parameters": results[0]["parameters"],
            "macs": results[0]["macs"],
            "seconds": float(np.mean([result["seconds"] for result in results])),
        }
        for p_target in evaluation.p_targets:
            row[dcf_name(p_target)] = float(np.mean([result[dcf_name(p_target)] for result in results]))
        if XVECTOR in present and network != XVECTOR:
            baseline = present.index(XVECTOR)
            low, high = interval(drawn[:, column] - drawn[:, baseline])
            difference = row["eer"] - rows[baseline]["eer"]
            row |= {"difference": difference, "difference_low": low, "difference_high": high}
        rows.append(row)
    return rows


def verdict(rows: Sequence[Mapping[str, Any]], best_is_xvector: bool = False) -> str:
    """Say in words what the rows of :func:`compare` show about the best network and the x-vector."""
    if best_is_xvector:
        return "No network that the search found was better on the search-dev trials than the x-vector it began with."
    best = next((row for row in rows if row["network"] == BEST), None)
    if best is None or "difference" not in best:
        return "The x-vector and the best network found were not both trained: there is nothing to compare."
    lower = "lower" if best["difference"] < 0 else "higher"
    clear = best["difference_low"] > 0 or best["difference_high"] < 0
    told = "excludes" if clear else "includes"
    return (
        f"On the test trials the best network found has an EER {100 * abs(best['difference']):.2f} points {lower} than "
        f"the x-vector's (mean of {best['trainings']} trainings each); the 95 % interval of the difference over "
        f"speakers, {100 * best['difference_low']:+.2f} to {100 * best['difference_high']:+.2f} points, {told} 0."
    )
