"""What a training has logged so far, one figure a step or round."""

from __future__ import annotations

from collections.abc import Mapping

from chorale.experiments.fedtts.results import TRAIN_STAGE
from chorale.runs.directory import Run
from chorale.runs.events import Event, read_events

Points = tuple[list[float], list[float]]


class History:
    """The metrics of a run's training, interrupted or not.

    Args:
        run: May have just begun.

    Attributes:
        last: The last step or round done; 0 if there is none yet.
        seconds: Time that the attempts took from their beginnings to what they logged last.
    """

    def __init__(self, run: Run) -> None:
        events = [event for event in read_events(run.events, TRAIN_STAGE, 0) if event.rank == 0]
        self._metrics: dict[str, dict[int, float]] = {}
        for event in events:
            self._metrics.setdefault(event.name, {})[event.step] = event.value
        self.last = max((event.step for event in events), default=0)
        self.seconds = _seconds(events)

    def of(self, name: str) -> Mapping[int, float]:
        """Return a metric's values by step; none if it was never logged."""
        return self._metrics.get(name, {})

    def newest(self, name: str) -> float | None:
        """Return a metric's last value."""
        values = self.of(name)
        return values[max(values)] if values else None

    def by_step(self, name: str) -> Points:
        """Return steps and a metric's values."""
        values = self.of(name)
        return [float(step) for step in values], list(values.values())

    def against(self, name: str, *others: str) -> Points:
        """Return the sum of other metrics and a metric's values, at the steps that have all of them."""
        values, columns = self.of(name), [self.of(other) for other in others]
        steps = [step for step in values if all(step in column for column in columns)]
        return [sum(column[step] for column in columns) for step in steps], [values[step] for step in steps]

    def total(self, name: str) -> float:
        """Return the sum of a metric over all steps."""
        return sum(self.of(name).values())


def _seconds(events: list[Event]) -> float:
    ends: dict[int, tuple[float, float]] = {}
    for event in events:
        first, last = ends.get(event.attempt, (event.time_s, event.time_s))
        ends[event.attempt] = min(first, event.time_s), max(last, event.time_s)
    return sum(last - first for first, last in ends.values())
