"""Progress of a run: its stages as they come, on a terminal a bar, in a log a line at each change."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from chorale.core.progress import Progress
from chorale.launch.plan import Plan
from chorale.runs.items import State


class PlanProgress:
    """Shows a plan again and again.

    Args:
        what: The run's name.
    """

    def __init__(self, what: str) -> None:
        self._bar = Progress(what, total=None, unit="items")

    def __enter__(self) -> Self:
        self._bar.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.__exit__(kind, error, traceback)

    def show(self, plan: Plan) -> None:
        """Show how the plan stands now. The total grows as stages declare further ones."""
        records = [record for status in plan.values() for record in status.records]
        ended = sum(record.state.ended for record in records)
        running = [status.stage.name for status in plan.values() if status.state is State.RUNNING]
        failed = sum(record.state is State.FAILED for record in records)
        note = " ".join(running) + (f" ({failed} failed)" if failed else "")
        self._bar.update(ended, note, total=len(records))
