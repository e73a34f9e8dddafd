"""What is measured of each training, and the table's rows."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from chorale.core.intervals import Interval, censored_median, log_interval, t_interval
from chorale.core.verdicts import Figures
from chorale.experiments.fedtts.comparison.curves import AXES, Point, first_reaching, instability
from chorale.experiments.fedtts.config.comparison import ComparisonConfig
from chorale.runs.items import ItemRecord, State

LOSSES = ("final", "instability")
"""Figures that every training has, in units of the loss."""


class Training(NamedTuple):
    """One training that has come to its end.

    Attributes:
        arm: Name.
        seed: Of all its draws.
        final: Last validation loss.
        curve: Its validations.
        cpu_s: Processor time of the attempt that ended it.
    """

    arm: str
    seed: int
    final: float
    curve: tuple[Point, ...]
    cpu_s: float


def trainings_of(records: Sequence[ItemRecord]) -> list[Training]:
    """Return the trainings that have come to their end, of a run that may still go on."""
    found = []
    for record in records:
        result: Any = record.result
        if record.state is State.DONE:
            curve = tuple(Point(*point) for point in result["curve"])
            found.append(Training(result["arm"], result["seed"], result["final"], curve, result["cpu_s"]))
    return found


def target_loss(targets: Sequence[Training], tolerance: float) -> float:
    """Return the median final loss of the target's trainings times ``tolerance``."""
    return statistics.median(training.final for training in targets) * tolerance


def figures_of(trainings: Sequence[Training], target: float) -> dict[str, Figures]:
    """Return by name and seed: rounds, bytes and seconds to the target, final loss, instability."""
    figures: dict[str, Figures] = {
        axis: {training.seed: first_reaching(training.curve, target, axis) for training in trainings} for axis in AXES
    }
    figures["final"] = {training.seed: training.final for training in trainings}
    figures["instability"] = {
        training.seed: instability([point.loss for point in training.curve]) for training in trainings
    }
    return figures


def data_figures(data_bytes: int, seeds: Sequence[int]) -> dict[str, Figures]:
    """Return the figures of sending the data once: the same bytes whatever the seed."""
    return {"bytes": dict.fromkeys(seeds, float(data_bytes))}


def row_of(
    name: str,
    label: str,
    trainings: Sequence[Training],
    figures: Mapping[str, Figures],
    plan: ComparisonConfig,
) -> dict[str, Any]:
    """Return an arm's row of the table: of each figure the median over seeds and an interval, as JSON values.

    The interval is a t-interval of the mean: on logarithms for what is counted to the target, and then only where every
    seed has reached it; on the values for losses.
    """
    row: dict[str, Any] = {
        "arm": name,
        "label": label,
        "trainings": len(trainings),
        "failed": len(plan.seeds) - len(trainings),
        "total_bytes": statistics.median(t.curve[-1].bytes for t in trainings) if trainings else None,
        "cpu_s": statistics.fmean(t.cpu_s for t in trainings) if trainings else None,
    }
    for figure, by_seed in figures.items():
        values = list(by_seed.values())
        known = [value for value in values if value is not None]
        interval: Interval | None = None
        if len(known) == len(values):
            interval = (t_interval if figure in LOSSES else log_interval)(known, plan.confidence)
        row[figure] = {
            "median": censored_median(values),
            "low": None if interval is None else interval.low,
            "high": None if interval is None else interval.high,
            "reached": len(known),
        }
    return row
