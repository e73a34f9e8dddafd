"""In which order training images come: shuffled anew in each pass, as a function of the step alone."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from chorale.core.seeds import seed_for
from chorale.training.task import Slice


class ShuffledOrder:
    """Which images a step's global batch has; a batch may reach over the end of a pass into the next.

    Args:
        count: Images.
        batch: Images per step, over all ranks.
        seed: Of the shuffling.
    """

    def __init__(self, count: int, batch: int, seed: int) -> None:
        self._count, self._batch, self._seed = count, batch, seed
        self._pass = lru_cache(maxsize=2)(self._shuffled)

    def indices(self, step: int, part: Slice) -> NDArray[np.int64]:
        """Return the images of one rank's slice ``(slice,)`` of the batch after ``step`` steps."""
        places = step * self._batch + np.arange(part.first, part.last)
        passes, within = np.divmod(places, self._count)
        return np.array(
            [self._pass(int(one))[place] for one, place in zip(passes, within, strict=True)], dtype=np.int64
        )

    def _shuffled(self, number: int) -> NDArray[np.int64]:
        random = np.random.default_rng(seed_for(self._seed, "order", number))
        return random.permutation(self._count).astype(np.int64)
