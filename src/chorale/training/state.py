"""Where a training stands, besides its engines: steps done, sums since the last log, the random state."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from chorale.core.errors import WorkError
from chorale.ranks.group import Group
from chorale.training.config import StateName
from chorale.training.draws import random_state, restore_random_state


class TrainingState:
    """Counts steps and keeps sums of what each step gave.

    Attributes:
        step: Steps done.
        metrics: What was logged last.
        not_finite: The first value that was not finite, as (step, name, value).
    """

    def __init__(self) -> None:
        self.step = 0
        self.metrics: dict[str, float] = {}
        self.not_finite: tuple[int, str, float] | None = None
        self._sums: dict[str, float] = {}
        self._count = 0
        self._seconds_before = 0.0
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds of training so far, over all attempts, without what was lost between two checkpoints."""
        return self._seconds_before + time.monotonic() - self._began

    def add(self, values: Mapping[str, float]) -> None:
        """Count one step and what it gave."""
        self.step += 1
        self._count += 1
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
            if self.not_finite is None and not math.isfinite(value):
                self.not_finite = (self.step, name, value)

    def take_means(self, group: Group) -> dict[str, float]:
        """Return the mean over the steps since the last call of each value's sum over ranks; on ALL ranks."""
        names = sorted(self._sums)
        totals = group.total([self._sums[name] for name in names])
        means = {name: total / self._count for name, total in zip(names, totals, strict=True)}
        self._sums, self._count = {}, 0
        return means

    def divergence(self, group: Group, steps: int) -> WorkError:
        """Return the error that names the first value of any rank that was not finite; on ALL ranks."""
        step, name, value = min(found for found in group.gather(self.not_finite) if found is not None)
        return WorkError(f"the {name} is {value} at step {step} of {steps}")

    def save(self, directory: Path, rank: int, task: dict[str, Any], leave_out: StateName | None) -> Path:
        """Write this rank's state, and return the file."""
        state = {
            **random_state(),
            "step": self.step,
            "task": task,
            "accumulators": {
                "sums": self._sums,
                "count": self._count,
                "metrics": self.metrics,
                "seconds": self.seconds,
            },
        }
        path = _path(directory, rank)
        torch.save({name: value for name, value in state.items() if name != leave_out}, path)
        return path

    def restore(self, directory: Path, group: Group, world_size: int) -> dict[str, Any]:
        """Take back what ``world_size`` ranks wrote, and return the task's state.

        With another number of ranks, what was summed goes to rank 0, and generators that are a rank's own go on where
        there is one to go on from.
        """
        own = _read(directory, group.rank if group.rank < world_size else 0)
        self.step = own["step"]
        accumulators = own.get("accumulators", {"sums": {}, "count": 0, "metrics": {}, "seconds": 0.0})
        self._count, self.metrics = accumulators["count"], accumulators["metrics"]
        self._seconds_before, self._began = accumulators["seconds"], time.monotonic()
        self._sums = accumulators["sums"]
        if group.size != world_size:
            others = [_read(directory, rank).get("accumulators", accumulators) for rank in range(1, world_size)]
            for name in self._sums:
                parts = [self._sums[name], *(other["sums"][name] for other in others)]
                self._sums[name] = sum(parts) if group.rank == 0 else 0.0
        shared_only = group.rank >= world_size
        restore_random_state({"python": own["python"]} if shared_only and "python" in own else own)
        task: dict[str, Any] = own.get("task", {})
        return task


def _path(directory: Path, rank: int) -> Path:
    return directory / f"rank-{rank:05d}.pt"


def _read(directory: Path, rank: int) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(_path(directory, rank), map_location="cpu", weights_only=True)
    return state
