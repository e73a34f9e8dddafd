"""A trainer that does not train, to measure communication alone. Loads no torch."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from chorale.core.seeds import seed_for
from chorale.experiments.fedtts.federation.trainer import Array, ClientResult, ClientWork, Tensors
from chorale.experiments.fedtts.network.naming import Depth

_SCALE = np.float32(1e-3)


class NoiseTrainer:
    """Answers with noise of the shapes asked for, keyed by seed, round and client.

    Args:
        sizes: Each client's mel frames.
        seed: Root of the draws.
    """

    def __init__(self, sizes: Sequence[int], seed: int) -> None:
        self._sizes, self._seed = list(sizes), seed

    def sizes(self) -> list[int]:
        """Return each client's mel frames."""
        return self._sizes

    def train(self, work: ClientWork) -> ClientResult:
        """Return values uniform in ±0.001, as if the client had gone over its utterances in one step."""
        began = time.perf_counter()
        generator = np.random.Generator(np.random.SFC64(seed_for(self._seed, "noise", work.round, work.client)))
        delta: dict[str, Array] = {}
        for name, value in work.tensors.items():
            if name in work.trainable:
                noise = generator.random(value.shape, dtype=np.float32)
                noise -= np.float32(0.5)
                noise *= 2 * _SCALE
                delta[name] = noise
        return ClientResult(delta, self._sizes[work.client], {}, 1, time.perf_counter() - began)

    def evaluate(self, tensors: Tensors, depth: Depth) -> dict[str, float]:
        """Return nothing: there is nothing to validate."""
        return {}
