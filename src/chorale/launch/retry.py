"""Try again what failed, and only that."""

from __future__ import annotations

from dataclasses import dataclass

from chorale.core.errors import InputError
from chorale.launch.plan import Plan, read_plan
from chorale.runs.directory import Run
from chorale.runs.items import Failure, State, reopen


@dataclass(frozen=True)
class Reopened:
    """What is pending again.

    Attributes:
        items: How many items that had failed or were cancelled, by stage.
        outdated: Stages that are done and have used what is now tried again; they are left as they are.
    """

    items: dict[str, int]
    outdated: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many items there are in all."""
        return sum(self.items.values())


def reopen_what_failed(run: Run, stage: str | None = None) -> Reopened:
    """Make items pending again that failed or were cancelled, of tolerant stages too; what is done stays done.

    Args:
        run: The run.
        stage: Only items of this stage, and those that were cancelled for want of a stage that failed.

    Raises:
        InputError: The run has no such stage.
    """
    plan = read_plan(run)
    if stage is not None and stage not in plan:
        raise InputError(f"{run.name}: no stage {stage!r}", f"its stages are: {', '.join(plan)}")
    items: dict[str, int] = {}
    for name, status in plan.items():
        for record in status.records:
            ended_badly = record.state in (State.FAILED, State.CANCELLED)
            # What waits for a stage that still fails is cancelled again, with the reason.
            chosen = stage is None or name == stage or record.failure is Failure.DEPENDENCY
            if ended_badly and chosen:
                reopen(run.stage_directory(name), record)
                items[name] = items.get(name, 0) + 1
    after = _following(plan, set(items))
    return Reopened(items, tuple(name for name in plan if name in after and plan[name].state is State.DONE))


def _following(plan: Plan, names: set[str]) -> set[str]:
    """Return the stages that need one of ``names``, directly or not."""
    found: set[str] = set()
    # A plan lists stages after what they need.
    for name, status in plan.items():
        if any(need in names or need in found for need in status.stage.needs):
            found.add(name)
    return found
