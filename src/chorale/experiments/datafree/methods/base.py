"""What a way of distilling offers to the training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from chorale.experiments.datafree.config import DatafreeConfig
from chorale.experiments.datafree.players import Players


class Method(ABC):
    """One way of distilling. A round is what happens between two moments at which a training may stop.

    Args:
        players: Who takes part.
        config: How.
    """

    has_generator: ClassVar[bool] = True
    needs_taps: ClassVar[bool] = False
    """Whether pre-activations are compared whatever the configuration says."""
    needs_statistics: ClassVar[bool] = False
    """Whether the teacher's batch normalisations are read."""

    def __init__(self, players: Players, config: DatafreeConfig) -> None:
        self.players, self.config = players, config

    @classmethod
    @abstractmethod
    def queries(cls, config: DatafreeConfig) -> int:
        """Return how many images a round asks the teacher about, over all ranks."""

    @abstractmethod
    def round(self, number: int) -> dict[str, float]:
        """Do one round and return this rank's part of each mean loss.

        Args:
            number: Rounds done before, from 0: the key of every draw.
        """


def mean_of(rows: list[dict[str, float]]) -> dict[str, float]:
    """Return the mean of each value over the steps of a round."""
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
