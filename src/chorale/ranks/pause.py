"""How a rank waits for something that it can only look for."""

from __future__ import annotations

import os
import time

_SPINS = 50
_FIRST_SLEEP_S, _LONGEST_SLEEP_S = 20e-6, 1e-3
# While a transfer is expected to be under way, a sleep would starve it: MPI moves data only inside its calls.
_SPIN_BYTES_PER_S = 500e6
_SPIN_FLOOR_S = 1e-3
# Calls that took longer than this have moved something.
_CALLS_IN_VAIN_S = 30e-6


class Pause:
    """Rests that grow: none at first, for what comes at once; then sleeps, so that a long wait costs no core.

    Args:
        longest_s: No sleep is longer, in seconds.
    """

    def __init__(self, longest_s: float = _LONGEST_SLEEP_S) -> None:
        self._rests, self._sleep_s, self._longest_s = 0, _FIRST_SLEEP_S, longest_s

    def rest(self) -> None:
        """Rest once."""
        self._rests += 1
        if self._rests < _SPINS:
            os.sched_yield()
            return
        time.sleep(self._sleep_s)
        self._sleep_s = min(1.2 * self._sleep_s, self._longest_s)


class Spin:
    """Says how long a transfer is worth a core.

    At first as long as it takes if the peer is there. Later, when the peer has come and data moves, for short whiles,
    and not longer in all: then it is another machine that is slow, or calls that are.

    Args:
        started: When the transfer began.
        n_bytes: Its length.
    """

    def __init__(self, started: float, n_bytes: int) -> None:
        self._left_s = _SPIN_FLOOR_S + n_bytes / _SPIN_BYTES_PER_S
        self._until = started + self._left_s

    def goes_on(self, began: float) -> bool:
        """Say whether to go on without a rest.

        Args:
            began: When the last calls of MPI began, which are over now.
        """
        now = time.monotonic()
        if now >= self._until and self._left_s > 0 and now - began > _CALLS_IN_VAIN_S:
            self._left_s -= _SPIN_FLOOR_S
            self._until = now + _SPIN_FLOOR_S
        return now < self._until
