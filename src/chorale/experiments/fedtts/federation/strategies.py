"""What the server does with the mean of its clients' updates: one class a rule, computed in double precision.

A round's *pseudo-gradient* is the weighted mean of the deltas (after - before) of the clients that answered. Every rule
keeps its state per tensor, so that a layer that took no part in a round is left alone with its state, and a layer that
is new begins with the state of round 0.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from chorale.experiments.fedtts.config.federation import StrategyConfig

Array = NDArray[np.float32]
Wide = NDArray[np.float64]


class Strategy(Protocol):
    """A server's rule."""

    def step(self, tensors: Mapping[str, Array], mean: Mapping[str, Wide]) -> dict[str, Array]:
        """Return the new values of the tensors in ``mean``.

        Args:
            tensors: The global tensors.
            mean: The pseudo-gradient, of those tensors that took part.
        """

    def state(self) -> dict[str, Wide]:
        """Return what must be saved, by name."""

    def restore(self, state: Mapping[str, Wide]) -> None:
        """Take up what ``state`` returned."""


class FedAvg:
    """``x <- x + rate * mean`` (McMahan et al. 2017, algorithm 1; with a server rate, Reddi et al. 2021, algorithm 1).

    Also the server's side of FedProx (Li et al. 2020, algorithm 2), whose proximal term is the clients', and of
    SCAFFOLD's model (Karimireddy et al. 2020, algorithm 1, line 17), whose control variates are kept beside it.

    Args:
        rate: The server's learning rate.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def step(self, tensors: Mapping[str, Array], mean: Mapping[str, Wide]) -> dict[str, Array]:
        """Return the new values of the tensors in ``mean``."""
        # Most often the rate is 1, and a pass over the model is saved.
        is_one = self.rate == 1.0
        return {name: _moved(tensors[name], delta if is_one else self.rate * delta) for name, delta in mean.items()}

    def state(self) -> dict[str, Wide]:
        """Return nothing: there is no state."""
        return {}

    def restore(self, state: Mapping[str, Wide]) -> None:
        """Do nothing."""


class FedAvgM:
    """``v <- momentum * v + mean; x <- x + rate * v`` (Hsu et al. 2019, section 4.3).

    Args:
        rate: The server's learning rate.
        momentum: Beta.
    """

    def __init__(self, rate: float, momentum: float) -> None:
        self.rate, self.momentum = rate, momentum
        self._velocity: dict[str, Wide] = {}

    def step(self, tensors: Mapping[str, Array], mean: Mapping[str, Wide]) -> dict[str, Array]:
        """Return the new values of the tensors in ``mean``."""
        new = {}
        for name, delta in mean.items():
            velocity = self.momentum * self._velocity.get(name, 0.0) + delta
            self._velocity[name] = velocity
            new[name] = _moved(tensors[name], self.rate * velocity)
        return new

    def state(self) -> dict[str, Wide]:
        """Return the velocities."""
        return {f"velocity/{name}": value for name, value in self._velocity.items()}

    def restore(self, state: Mapping[str, Wide]) -> None:
        """Take up the velocities."""
        self._velocity = _part(state, "velocity/")


class Adaptive(ABC):
    """The frame of FedAdagrad, FedYogi and FedAdam (Reddi et al. 2021, algorithm 2).

    ``m <- beta1 * m + (1 - beta1) * mean; v <- second(v, mean^2); x <- x + rate * m / (sqrt(v) + tau)``, beginning with
    ``m = 0`` and ``v = tau^2``, the smallest that the algorithm allows. There is no bias correction in it.

    Args:
        rate: Eta, the server's learning rate.
        beta1: Of the first moment.
        tau: Degree of adaptivity.
    """

    def __init__(self, rate: float, beta1: float, tau: float) -> None:
        self.rate, self.beta1, self.tau = rate, beta1, tau
        self._first: dict[str, Wide] = {}
        self._second: dict[str, Wide] = {}

    @abstractmethod
    def second(self, moment: Wide, square: Wide) -> Wide:
        """Return the new second moment.

        Args:
            moment: The old one.
            square: The mean update, squared.
        """

    def step(self, tensors: Mapping[str, Array], mean: Mapping[str, Wide]) -> dict[str, Array]:
        """Return the new values of the tensors in ``mean``."""
        new = {}
        for name, delta in mean.items():
            first = self.beta1 * self._first.get(name, 0.0) + (1 - self.beta1) * delta
            second = self.second(self._second.get(name, np.full_like(delta, self.tau**2)), delta**2)
            self._first[name], self._second[name] = first, second
            new[name] = _moved(tensors[name], self.rate * first / (np.sqrt(second) + self.tau))
        return new

    def state(self) -> dict[str, Wide]:
        """Return both moments."""
        first = {f"first/{name}": value for name, value in self._first.items()}
        return first | {f"second/{name}": value for name, value in self._second.items()}

    def restore(self, state: Mapping[str, Wide]) -> None:
        """Take up both moments."""
        self._first, self._second = _part(state, "first/"), _part(state, "second/")


class FedAdagrad(Adaptive):
    """``v <- v + mean^2`` (Reddi et al. 2021, algorithm 2)."""

    def second(self, moment: Wide, square: Wide) -> Wide:
        """Return the new second moment."""
        return moment + square


class FedYogi(Adaptive):
    """``v <- v - (1 - beta2) * mean^2 * sign(v - mean^2)`` (Reddi et al. 2021, algorithm 2).

    Args:
        rate: Eta.
        beta1: Of the first moment.
        tau: Degree of adaptivity.
        beta2: Of the second moment.
    """

    def __init__(self, rate: float, beta1: float, tau: float, beta2: float) -> None:
        super().__init__(rate, beta1, tau)
        self.beta2 = beta2

    def second(self, moment: Wide, square: Wide) -> Wide:
        """Return the new second moment."""
        return moment - (1 - self.beta2) * square * np.sign(moment - square)


class FedAdam(Adaptive):
    """``v <- beta2 * v + (1 - beta2) * mean^2`` (Reddi et al. 2021, algorithm 2).

    Args:
        rate: Eta.
        beta1: Of the first moment.
        tau: Degree of adaptivity.
        beta2: Of the second moment.
    """

    def __init__(self, rate: float, beta1: float, tau: float, beta2: float) -> None:
        super().__init__(rate, beta1, tau)
        self.beta2 = beta2

    def second(self, moment: Wide, square: Wide) -> Wide:
        """Return the new second moment."""
        return self.beta2 * moment + (1 - self.beta2) * square


def make_strategy(config: StrategyConfig) -> Strategy:
    """Return the server's side of ``config.kind``."""
    match config.kind:
        case "fedavgm":
            return FedAvgM(config.rate, config.momentum)
        case "fedadagrad":
            return FedAdagrad(config.rate, config.momentum, config.tau)
        case "fedyogi":
            return FedYogi(config.rate, config.momentum, config.tau, config.beta2)
        case "fedadam":
            return FedAdam(config.rate, config.momentum, config.tau, config.beta2)
        case _:
            return FedAvg(config.rate)


def _moved(value: Array, change: Wide) -> Array:
    return np.add(value, change, dtype=np.float64).astype(np.float32)


def _part(state: Mapping[str, Wide], prefix: str) -> dict[str, Wide]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
