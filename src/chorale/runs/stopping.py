"""Stopping in order to go on: the flag that a signal sets, and what work raises once it has saved itself."""

from __future__ import annotations

import threading
import time
from typing import Literal

from chorale.core.errors import ChoraleError

GO_ON = 75
"""Exit status of a process that has saved its work and wants to go on (``EX_TEMPFAIL`` of sysexits.h)."""

StopReason = Literal["time-limit", "preempted"]


class StopFlag:
    """Set when the work should stop at the next step boundary; a signal handler may set it."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.reason: StopReason = "preempted"
        self._asked = 0.0

    def set(self, reason: StopReason = "preempted") -> None:
        """Ask for a stop; the first reason stands."""
        if not self._event.is_set():
            self.reason, self._asked = reason, time.monotonic()
        self._event.set()

    @property
    def seconds(self) -> float:
        """How long ago the stop was asked for; 0 if it was not."""
        return time.monotonic() - self._asked if self else 0.0

    def __bool__(self) -> bool:
        return self._event.is_set()


class StoppedError(ChoraleError):
    """The work was asked to stop, has saved itself, and wants to go on later."""

    exit_status = GO_ON
