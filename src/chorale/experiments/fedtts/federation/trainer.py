"""What the federation asks of whoever trains: the seam between rounds, which know no network, and the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from chorale.experiments.fedtts.network.naming import Depth

Array = NDArray[np.float32]
Tensors = Mapping[str, Array]


@dataclass(frozen=True)
class ClientWork:
    """What one client is asked to do in one round.

    Attributes:
        client: Who.
        round: Counts from 0.
        tensors: Values that it begins with: every tensor of the network of ``depth``. Not to be written into.
        depth: The layers of this round's network.
        trainable: Names of the tensors that it may change.
        rate: Its learning rate.
        mu: Weight of the proximal term ``mu / 2 * |x - tensors|^2`` (Li et al. 2020, algorithm 2); 0 leaves it out.
        correction: What is added to each gradient (SCAFFOLD's ``c - c_i``), of the trainable tensors; or None.
    """

    client: int
    round: int
    tensors: Tensors
    depth: Depth
    trainable: frozenset[str]
    rate: float
    mu: float = 0.0
    correction: Tensors | None = None


@dataclass(frozen=True)
class ClientResult:
    """What one client's training came to.

    Attributes:
        delta: After minus before, of exactly the trainable tensors.
        frames: Mel frames that it trained on, over all steps; decides how long it takes in simulated time.
        metrics: Sums over its steps, such as ``loss``; what is logged is the sum over clients by the sum of steps.
        steps: Steps of its optimizer.
        seconds: Wall time.
    """

    delta: Tensors
    frames: int
    metrics: Mapping[str, float]
    steps: int
    seconds: float


class Trainer(Protocol):
    """Trains clients, each a function of its work alone: not of what other clients did before it on the same rank."""

    def sizes(self) -> Sequence[int]:
        """Return each client's mel frames: its weight, and whether it has any data."""

    def train(self, work: ClientWork) -> ClientResult:
        """Train one client."""

    def evaluate(self, tensors: Tensors, depth: Depth) -> Mapping[str, float]:
        """Return what validation says of the global tensors, such as ``loss``."""


@dataclass(frozen=True)
class Schedule:
    """How the network and the clients' learning rate change over the rounds; the same on every rank.

    Attributes:
        depth_at: The layers of a round's network.
        grow: Returns the global tensors once the network has another depth: ``grow(tensors, before, after)``; those
            that existed keep their values.
        trainable_at: Names of the tensors that a round trains: whole groups (``tensor_group``), so that the groups are
            what is announced.
        rate_at: The clients' learning rate in a round.
        cost_at: What a frame costs at a depth, as a share of its cost at full depth; for simulated time.
    """

    depth_at: Callable[[int], Depth]
    grow: Callable[[Tensors, Depth, Depth], Tensors]
    trainable_at: Callable[[int, Depth], frozenset[str]]
    rate_at: Callable[[int], float]
    cost_at: Callable[[Depth], float]
