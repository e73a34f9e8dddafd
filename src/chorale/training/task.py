"""What a training is of: the loop asks for a step on this rank's slice of the global batch, and for an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from chorale.ranks.backends.base import Engine


@dataclass(frozen=True)
class Slice:
    """The samples of a global batch that one rank computes.

    Attributes:
        first: Index of its first sample in the global batch.
        last: One past its last.
        total: Samples of the global batch: what sums are divided by, on every rank.
    """

    first: int
    last: int
    total: int

    @property
    def samples(self) -> range:
        """Indices into the global batch."""
        return range(self.first, self.last)


def slice_of(total: int, rank: int, size: int) -> Slice:
    """Return the slice of ``rank`` among ``size`` ranks, in order, of lengths that differ by at most one."""
    return Slice(rank * total // size, (rank + 1) * total // size, total)


class Task(Protocol):
    """One training, as the loop sees it. Draws are keyed by (seed, step, index of the sample in the global batch)."""

    @property
    def engines(self) -> Sequence[Engine]:
        """Every engine of the training; saved and loaded by the loop."""

    def step(self, step: int) -> Mapping[str, float]:
        """Do one step of the optimizers, from the forward pass on.

        Args:
            step: Steps done before, from 0.

        Returns:
            Values to log, each this rank's part of a sum over ranks; the loop logs their mean over steps. A value that
            is not finite ends the training.
        """

    def gauges(self, step: int) -> Mapping[str, float]:
        """Return values to log as they are, such as the rate, after ``step`` steps."""

    def evaluate(self, step: int) -> Mapping[str, float]:
        """Return metrics of the networks as they are after ``step`` steps, the same on ALL ranks."""

    def state(self) -> dict[str, Any]:
        """Return what the task itself must keep, besides its engines: tensors, numbers, strings, lists, dicts."""

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what :meth:`state` returned."""
