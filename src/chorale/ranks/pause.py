"""How a rank waits for something that it can only look for."""

from __future__ import annotations

import os
import time

_SPINS = 50
_FIRST_SLEEP_S, _LONGEST_SLEEP_S = 20e-6, 1e-3


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
