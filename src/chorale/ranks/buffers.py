"""Memory of large messages and sums, used again: pages fresh from the system cost as much as filling them."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Smaller ones come from the allocator's own stock.
_SMALLEST = 1 << 20


class Buffers:
    """Gives out buffers, each again once nobody holds it or a view of it any more.

    No more are kept than were in use at the same time, and when none fits, those that nobody holds are let go.
    """

    def __init__(self) -> None:
        self._kept: list[NDArray[np.uint8]] = []

    def take(self, n_bytes: int) -> NDArray[np.uint8]:
        """Return a buffer of that length with anything in it; whoever holds it need not give it back."""
        if n_bytes < _SMALLEST:
            return np.empty(n_bytes, np.uint8)
        references = _references(self._kept)
        for kept, count in zip(self._kept, references, strict=True):
            if count <= _UNUSED and n_bytes <= kept.nbytes <= 2 * n_bytes:
                return kept[:n_bytes]
        in_use = [kept for kept, count in zip(self._kept, references, strict=True) if count > _UNUSED]
        fresh = np.empty(n_bytes, np.uint8)
        self._kept = [*in_use, fresh]
        return fresh[:]


def _references(arrays: Sequence[NDArray[np.uint8]]) -> list[int]:
    """Return how many hold each array: a view of a view holds the array that owns the memory."""
    return [sys.getrefcount(array) for array in arrays]


# What counts an array that only a list holds; not the same in every version of Python.
_UNUSED = _references([np.empty(0, np.uint8)])[0]
