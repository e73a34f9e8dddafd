"""Which utterances make a batch: each once an epoch, those of similar length together, keyed by seed and step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from random import Random
from typing import Generic, TypeVar

from chorale.core.seeds import seed_for
from chorale.training.task import slice_of

T = TypeVar("T")
_BATCHES_PER_BUCKET = 8


class BatchSampler:
    """Batches of utterances, each utterance once an epoch.

    Our choice: an epoch's shuffled utterances are dealt into buckets of a few batches and sorted by length within each,
    and the batches are shuffled in turn: little padding, and yet other neighbours each epoch. Where the utterances do
    not fill whole batches, batches are smaller than ``batch`` and differ by at most one.

    Args:
        lengths: Of every utterance, in frames; at least one utterance.
        batch: Most utterances per batch.
        seed: Root of the draws.
    """

    def __init__(self, lengths: Sequence[int], batch: int, seed: int) -> None:
        self._lengths, self._seed = lengths, seed
        self.batches_per_epoch = -(-len(lengths) // batch)
        self._epoch, self._batches = -1, list[list[int]]()

    @property
    def smallest(self) -> int:
        """Utterances of the smallest batch."""
        return len(self._lengths) // self.batches_per_epoch

    def batch(self, step: int) -> list[int]:
        """Return the indices of the utterances of one step's global batch.

        Args:
            step: Steps done before.
        """
        epoch, index = divmod(step, self.batches_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self._of_epoch(epoch)
        return self._batches[index]

    def _of_epoch(self, epoch: int) -> list[list[int]]:
        count, total = self.batches_per_epoch, len(self._lengths)
        random = Random(seed_for(self._seed, "epoch", epoch))
        order = random.sample(range(total), total)
        bounds = [slice_of(total, index, count) for index in range(count)]
        for first in range(0, count, _BATCHES_PER_BUCKET):
            last = min(first + _BATCHES_PER_BUCKET, count) - 1
            bucket = slice(bounds[first].first, bounds[last].last)
            order[bucket] = sorted(order[bucket], key=lambda index: self._lengths[index])
        batches = [order[bound.first : bound.last] for bound in bounds]
        random.shuffle(batches)
        return batches


def batches_by_length(lengths: Sequence[int], batch: int) -> list[list[int]]:
    """Return the indices of all utterances in batches of similar length, the shortest first, always the same."""
    order = sorted(range(len(lengths)), key=lambda index: lengths[index])
    return [order[first : first + batch] for first in range(0, len(order), batch)]


class Ahead(Generic[T]):
    """Makes what the next step needs while this one computes, in one thread.

    Args:
        make: Makes what a step needs; called from that thread, and for one step at a time.
    """

    def __init__(self, make: Callable[[int], T]) -> None:
        self._make = make
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._next: tuple[int, Future[T]] | None = None

    def get(self, step: int) -> T:
        """Return what ``step`` needs, and begin with the step after it.

        Raises:
            Exception: What ``make`` has raised.
        """
        ready = self._next is not None and self._next[0] == step
        future = self._next[1] if ready and self._next is not None else self._pool.submit(self._make, step)
        value = future.result()
        self._next = (step + 1, self._pool.submit(self._make, step + 1))
        return value
