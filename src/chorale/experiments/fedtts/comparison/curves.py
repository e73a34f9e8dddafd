"""Learning curves: loss against rounds, bytes and simulated seconds, read from events; and what is measured of one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from chorale.experiments.fedtts.config import FedttsConfig
from chorale.experiments.fedtts.federation.links import Work, link_of, round_seconds, speed_of
from chorale.runs.events import Event

Axis = Literal["rounds", "bytes", "simulated_s", "communication_s"]
AXES: tuple[Axis, ...] = ("rounds", "bytes", "simulated_s", "communication_s")
_LOSS, _DOWN, _UP, _SECONDS = "loss/valid", "bytes/down", "bytes/up", "seconds/simulated"


class Point(NamedTuple):
    """One validation.

    Attributes:
        rounds: Done.
        bytes: What clients have downloaded and uploaded so far, as it crosses; 0 in central training.
        simulated_s: Simulated seconds so far, computing and sending; 0 in central training, which has no clients.
        communication_s: Those that sending alone would have taken.
        loss: Of the held-out utterances, teacher-forced.
    """

    rounds: float
    bytes: float
    simulated_s: float
    communication_s: float
    loss: float


def federated_curve(events: Iterable[Event], config: FedttsConfig) -> list[Point]:
    """Return the curve of a federation in which every client takes part in every round.

    The time of communication is the round's time without computing: all clients then send the same number of bytes.
    """
    federation = config.federation
    clients, link = federation.clients, link_of(federation.link)
    speeds = [speed_of(federation.link, config.seed, client) for client in range(clients)]
    down = up = communication_s = 0.0
    points = []
    for round_, values in _by_step(events).items():
        if _DOWN not in values:
            continue
        sent = (round((values[_DOWN] - down) / clients), round((values[_UP] - up) / clients))
        communication_s += round_seconds(link, [Work(*sent, speed=speed) for speed in speeds])
        down, up = values[_DOWN], values[_UP]
        if _LOSS in values:
            points.append(Point(round_, down + up, values[_SECONDS], communication_s, values[_LOSS]))
    return points


def central_curve(events: Iterable[Event], steps_per_round: int) -> list[Point]:
    """Return the curve of central training, in which ``steps_per_round`` steps count as a round."""
    found = [(step, values[_LOSS]) for step, values in _by_step(events).items() if _LOSS in values]
    return [Point(step / steps_per_round, 0.0, 0.0, 0.0, loss) for step, loss in found]


def first_reaching(curve: Sequence[Point], target: float, axis: Axis) -> float | None:
    """Return where the loss first is at or below ``target``, or None if it never is: then it is censored.

    Between the two validations about it the curve is taken to be straight. If the first validation is there already,
    its own place is returned, which is an upper bound.
    """
    if curve and curve[0].loss <= target:
        return float(getattr(curve[0], axis))
    for before, after in pairwise(curve):
        if after.loss <= target:
            share = (before.loss - target) / (before.loss - after.loss)
            low, high = float(getattr(before, axis)), float(getattr(after, axis))
            return low + share * (high - low)
    return None


def instability(losses: Sequence[float]) -> float:
    """Return the mean rise from one validation to the next, a fall counting as 0: ``Σ max(0, l_k+1 - l_k) / (n - 1)``.

    Our choice: 0 for a loss that never rises, in units of the loss, and not larger for a curve that falls faster.
    """
    rises = [max(0.0, after - before) for before, after in pairwise(losses)]
    return sum(rises) / len(rises) if rises else 0.0


def _by_step(events: Iterable[Event]) -> dict[int, dict[str, float]]:
    steps: dict[int, dict[str, float]] = {}
    for event in sorted(events, key=lambda event: event.step):
        steps.setdefault(event.step, {})[event.name] = event.value
    return steps
