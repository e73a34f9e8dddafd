"""Plots of the report: the search, the front of error against cost, DET curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from chorale.experiments.autovector.comparison import NETWORKS, XVECTOR
from chorale.experiments.autovector.config import AutovectorConfig
from chorale.experiments.autovector.genome import describe
from chorale.experiments.autovector.metrics import det_curve, error_rates, sort_trials
from chorale.experiments.autovector.results import TRAIN_STAGE, Arm, Candidate, of_arm
from chorale.experiments.autovector.score_file import read_scores
from chorale.runs.directory import Run
from chorale.runs.events import read_events
from chorale.runs.parts import Plot, Series

_ARMS: dict[Arm, str] = {"evolution": "evolution", "random": "random"}


def search_plot(known: Sequence[Candidate]) -> Plot:
    """Return the best error so far and every candidate, against evaluations."""
    series: list[Series] = []
    for arm, label in _ARMS.items():
        errors: list[float] = []
        best: list[float] = []
        labels: list[str] = []
        for candidate in of_arm(known, arm):
            if not candidate.record.state.ended:
                continue
            error = candidate.individual.fitness
            errors.append(math.nan if error is None else 100 * error)
            best.append(min((value for value in errors if math.isfinite(value)), default=math.nan))
            labels.append(f"#{candidate.individual.number} {describe(candidate.individual.genome)}")
        if not errors:
            continue
        evaluations = [float(number) for number in range(1, len(errors) + 1)]
        series.append(Series(f"{label}, best so far", evaluations, best, "steps", group=label))
        series.append(Series(label, evaluations, errors, "points", labels))
    return Plot(
        "Search",
        "evaluations",
        "EER on search-dev trials / %",
        series,
        "Every evaluation trains the same number of steps. Candidates that failed are counted and not drawn.",
    )


def front_plot(known: Sequence[Candidate], config: AutovectorConfig) -> Plot:
    """Return error against multiply-accumulates, with the Pareto front."""
    series: list[Series] = []
    reached: list[tuple[float, float]] = []
    for arm, label in _ARMS.items():
        done = [candidate for candidate in known if candidate.arm == arm and candidate.result is not None]
        if not done:
            continue
        macs = [float(candidate.result["macs"]) for candidate in done if candidate.result]
        errors = [100 * float(candidate.result["eer"]) for candidate in done if candidate.result]
        labels = [f"#{c.individual.number} {describe(c.individual.genome)}" for c in done]
        series.append(Series(label, macs, errors, "points", labels))
        reached += zip(macs, errors, strict=True)
    front = pareto_front(reached)
    if front:
        series.append(Series("Pareto front", [x for x, _ in front], [y for _, y in front], "steps"))
    label = f"multiply-accumulates of {config.evaluation.mac_frames} frames"
    return Plot("Front", label, "EER on search-dev trials / %", series, x_scale="log")


def pareto_front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points that no other beats in both cost and error, by rising cost."""
    front: list[tuple[float, float]] = []
    for cost, error in sorted(points):
        if not front or error < front[-1][1]:
            front.append((cost, error))
    return front


def loss_plot(run: Run) -> Plot:
    """Return the loss of the one training of a run that searches nothing."""
    losses = [event for event in read_events(run.events, TRAIN_STAGE, 0) if event.name == "loss"]
    series = [Series(XVECTOR, [float(event.step) for event in losses], [event.value for event in losses])]
    return Plot("Training", "step", "loss", series if losses else [])


def det_plot(run: Run, summary: dict[str, Any], config: AutovectorConfig) -> Plot:
    """Return the DET curve of each finalist."""
    series = []
    for network in NETWORKS:
        paths = [run.artifacts / name for name in summary["scores"].get(network, []) if (run.artifacts / name).exists()]
        if paths:
            labels, scores = read_scores(paths[0])
            curve = det_curve(error_rates(sort_trials(scores, labels)), config.evaluation.det_points)
            series.append(Series(network, curve.false_alarm.tolist(), curve.miss.tolist()))
    return Plot(
        "DET",
        "false alarms",
        "misses",
        series,
        "Test trials; the first training of each network.",
        x_scale="probit",
        y_scale="probit",
    )
