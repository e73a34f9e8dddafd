"""Progress of long work: a bar on a terminal, a plain line now and then in a log."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from chorale.core.logs import get_logger, is_terminal

if TYPE_CHECKING:
    from rich.console import Console

_PLAIN_INTERVAL_S = 10.0
_log = get_logger(__name__)


class Progress:
    """Counts towards a total, as a context manager.

    Args:
        what: What is being done, for example ``"fetch klettres-data"``.
        total: How many units there are; None if unknown.
        unit: The unit's name; ``"B"`` prints sizes.
    """

    def __init__(self, what: str, total: int | None, unit: str = "") -> None:
        self.what = what
        self.total = total
        self.unit = unit
        self.done = 0
        self._note = ""
        self._started = self._spoken = time.monotonic()
        self._bar = None
        if is_terminal():
            from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.completed:.0f}/{task.total} {task.fields[note]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=_stderr_console(),
            )
            self._task = self._bar.add_task(what, total=total, note="")

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif kind is None:
            self._say()

    def advance(self, units: int = 1, note: str = "") -> None:
        """Count ``units`` more as done."""
        self.update(self.done + units, note)

    def update(self, done: int, note: str = "", total: int | None = None) -> None:
        """Set how many units are done, a short note beside them, and the total if it has changed."""
        self.done = done
        self._note = note
        self.total = total if total is not None else self.total
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=self.total, note=note)
        elif time.monotonic() - self._spoken > _PLAIN_INTERVAL_S:
            self._say()

    def _say(self) -> None:
        self._spoken = time.monotonic()
        of = f"/{self.total}" if self.total is not None else ""
        seconds = self._spoken - self._started
        _log.info("%s: %s%s %s (%.0f s) %s", self.what, self.done, of, self.unit, seconds, self._note)


def _stderr_console() -> Console:
    from rich.console import Console

    return Console(stderr=True)
