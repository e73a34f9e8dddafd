"""Who is still there: a counter per rank that a thread keeps counting, read when a collective has failed.

A collective that fails says that some peer is gone, not which. A rank that merely waits keeps counting, one that was
killed or stopped does not: two looks at the counters tell them apart without comparing clocks.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence
from typing import Protocol

BEAT_S = 0.5
"""Seconds between two counts."""
LOOK_S = 5 * BEAT_S
"""Seconds between the two looks at the counters."""
_ANSWER_S = LOOK_S + 2.0
_LINGER_S = 2 * LOOK_S


class Store(Protocol):
    """What is needed of torch's stores."""

    def add(self, key: str, amount: int) -> int:
        """Add to a counter and return it."""

    def clone(self) -> Store:
        """Return another connection to the store."""


class Presence:
    """Counts for this rank while the group is open, and says who has stopped counting.

    Args:
        store: The group's store, kept by rank 0.
        rank: This rank.
        hosts: Host of every rank.
    """

    def __init__(self, store: Store, rank: int, hosts: Sequence[str]) -> None:
        # A connection of its own: a wait on the group's must not keep this rank from counting.
        self._store = store.clone()
        self._rank, self._hosts = rank, hosts
        self._stop = threading.Event()
        self._store.add(_beat(rank), 1)
        self._thread = threading.Thread(target=self._count, name="presence", daemon=True)
        self._thread.start()

    def missing(self) -> str:
        """Return who is gone, as ``rank 1 on n2``, and empty if nobody is; takes a few seconds.

        Rank 0 keeps the counters, so it stays a little until the others have looked too.
        """
        # Unless told otherwise by the counters, whoever keeps them is gone, or stopped and answers nobody.
        gone = [0]

        def look() -> None:
            nonlocal gone
            with contextlib.suppress(RuntimeError):
                found = self._not_counting()
                self._store.add("presence/looked", 1)
                gone = found

        looking = threading.Thread(target=look, name="presence-look", daemon=True)
        looking.start()
        looking.join(_ANSWER_S)
        if self._rank == 0:
            self._linger(len(self._hosts) - len(gone))
        return ", ".join(f"rank {rank} on {self._hosts[rank]}" for rank in gone)

    def close(self) -> None:
        """Stop counting."""
        self._stop.set()
        self._thread.join(LOOK_S)

    def _not_counting(self) -> list[int]:
        before = self._counters()
        time.sleep(LOOK_S)
        after = self._counters()
        return [rank for rank, (old, new) in enumerate(zip(before, after, strict=True)) if old == new]

    def _counters(self) -> list[int]:
        return [self._store.add(_beat(rank), 0) for rank in range(len(self._hosts))]

    def _linger(self, present: int) -> None:
        deadline = time.monotonic() + _LINGER_S
        while self._store.add("presence/looked", 0) < present and time.monotonic() < deadline:
            time.sleep(BEAT_S / 5)

    def _count(self) -> None:
        while not self._stop.wait(BEAT_S):
            try:
                self._store.add(_beat(self._rank), 1)
            except RuntimeError:
                # Rank 0 has gone, and with it the counters; the next collective says so.
                return


def _beat(rank: int) -> str:
    return f"presence/{rank}"
