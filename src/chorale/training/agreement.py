"""Ranks ask one another now and then whether to stop or to save: one small collective for all questions."""

from __future__ import annotations

import math
import time
from typing import NamedTuple

from chorale.ranks.group import Group
from chorale.runs.stopping import StopFlag, StopReason


class Agreed(NamedTuple):
    """What all ranks have agreed on at a step."""

    stop: bool
    save: bool
    diverged: bool


class Agreement:
    """The question, asked as seldom as keeps its cost below a share of the time.

    A process alone asks at every step, which costs nothing. Several measure: rank 0 compares the fastest answer so far,
    which is the collective's own cost and no waiting for a slower rank, with the seconds per step.

    Args:
        group: The ranks.
        share: Largest share of the time.
        step: Steps done so far.
    """

    def __init__(self, group: Group, share: float, step: int) -> None:
        self._group, self._share = group, share
        self._next, self._asked_at, self._asked_step = step + 1, time.monotonic(), step
        self.cost_s = math.inf
        self.every = 1

    def due(self, step: int) -> bool:
        """Say whether it is time to ask; the same on every rank."""
        return step >= self._next

    def ask(self, step: int, stop: StopFlag, save: bool, diverged: bool) -> Agreed:
        """Return what any rank wants; on ALL ranks. An agreed stop sets the flag of every rank.

        Args:
            step: Steps done.
            stop: This rank's flag.
            save: Whether a checkpoint is due; only rank 0's clock counts.
            diverged: Whether this rank has seen a value that is not finite.
        """
        before = time.monotonic()
        first = self._group.rank == 0
        asked = bool(stop)
        preempted, time_limit = (asked and stop.reason == reason for reason in ("preempted", "time-limit"))
        proposed = self._proposed(step, before) if first else 0
        answers = self._group.total([preempted, time_limit, first and save, diverged, proposed])
        self._asked_at, self._asked_step = time.monotonic(), step
        self.cost_s = min(self.cost_s, self._asked_at - before)
        self.every = int(answers[4])
        self._next = step + self.every
        if answers[0] + answers[1] > 0:
            reason: StopReason = "time-limit" if answers[1] > 0 else "preempted"
            stop.set(reason)
        return Agreed(answers[0] + answers[1] > 0, answers[2] > 0, answers[3] > 0)

    def _proposed(self, step: int, now: float) -> int:
        steps = step - self._asked_step
        if self._group.size == 1 or steps == 0 or not math.isfinite(self.cost_s):
            return self.every
        step_s = max((now - self._asked_at) / steps, 1e-9)
        return max(1, math.ceil(self.cost_s / (self._share * step_s)))
