"""The plan: which stages of a run have ended, which may start, which never will."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from chorale.core import files
from chorale.core.errors import WorkError
from chorale.runs.contract import Stage
from chorale.runs.directory import Run
from chorale.runs.items import Failure, ItemRecord, State, pronounce


@dataclass(frozen=True)
class StageStatus:
    """A stage and how its items stand.

    Attributes:
        stage: The declaration.
        records: The newest attempt at each item, in order.
    """

    stage: Stage
    records: Sequence[ItemRecord]

    @property
    def state(self) -> State:
        """The stage's state: it has ended when all its items have.

        A tolerant stage that lost some items is done; one that lost them all has failed like any other.
        """
        states = [record.state for record in self.records]
        if all(state.ended for state in states):
            done = states.count(State.DONE)
            if done == len(states) or (self.stage.tolerant and done):
                return State.DONE
            return State.CANCELLED if all(state is State.CANCELLED for state in states) else State.FAILED
        return State.PENDING if all(state is State.PENDING for state in states) else State.RUNNING

    @property
    def reason(self) -> str:
        """One line about the first item that did not end well; empty if all did."""
        for record in self.records:
            if record.failure is not None:
                item = f" item {record.index}" if len(self.records) > 1 else ""
                return f"{self.stage.name}{item}: {record.failure}: {record.message}"
        return ""


Plan = Mapping[str, StageStatus]


def read_plan(run: Run) -> Plan:
    """Return the declared stages of a run with how they stand, those that need others after them.

    A stage declares others before it ends. Whoever lists the stages, and then sees one as ended that was still at work
    when they were listed, would miss what it has declared, and take what needs that for hopeless: so it lists again.
    """
    while True:
        declared = run.stages()
        plan = order(declared, run.items)
        if run.stage_names() == set(declared):
            return plan


def order(declared: Mapping[str, Stage], records: Callable[[Stage], Sequence[ItemRecord]]) -> Plan:
    """Return a plan of ``declared`` stages, those that need others after them, with the ``records`` of each."""
    ordered: dict[str, StageStatus] = {}
    while len(ordered) < len(declared):
        rest = [stage for name, stage in declared.items() if name not in ordered]
        # A need that nobody has declared yet does not hold up the order; a circle is shown as it was declared.
        free = [s for s in rest if all(need in ordered or need not in declared for need in s.needs)] or rest[:1]
        for stage in free:
            ordered[stage.name] = StageStatus(stage, records(stage))
    return ordered


def read_stage(run: Run, name: str) -> Stage | None:
    """Return one declared stage, without looking at the others; None if no such stage is declared.

    Raises:
        WorkError: Its declaration is damaged.
    """
    path = run.stage_directory(name) / "stage.json"
    if not path.exists():
        return None
    try:
        return Stage.model_validate(files.read_json(path))
    except ValueError as error:
        raise WorkError(f"{path}: not a stage ({error})", "delete it and start the run again") from error


def read_part(run: Run, names: Iterable[str]) -> Plan:
    """Return how the named stages stand, those that are declared, without reading any other stage of the run."""
    found = {name: stage for name in names if (stage := read_stage(run, name)) is not None}
    return {name: StageStatus(stage, run.items(stage)) for name, stage in found.items()}


def ready(plan: Plan) -> list[StageStatus]:
    """Return the stages with open items whose needs have all ended well."""
    return [status for status in plan.values() if not status.state.ended and _needs_are_met(plan, status.stage)]


def unmet(plan: Plan, stage: Stage) -> str:
    """Return why a stage can never start: the reason of a need that failed; empty while it still may."""
    for need in stage.needs:
        status = plan.get(need)
        if status is not None and status.state in (State.FAILED, State.CANCELLED):
            return f"needs stage {need}, which {status.state} ({status.reason})"
    return ""


def cancel_hopeless(run: Run) -> Plan:
    """Cancel every open stage that can never start, each with the reason, and return the plan after that."""
    while True:
        plan = read_plan(run)
        hopeless = {s.stage.name: why for s in plan.values() if not s.state.ended and (why := _hopeless(plan, s.stage))}
        if not hopeless:
            return plan
        for name, why in hopeless.items():
            for record in plan[name].records:
                if not record.state.ended:
                    pronounce(run.stage_directory(name), record, Failure.DEPENDENCY, why)


def overall(plan: Plan) -> State:
    """Return the state of the run: ended when every declared stage has."""
    states = [status.state for status in plan.values()]
    if not states:
        return State.PENDING
    if all(state.ended for state in states):
        return State.DONE if all(state is State.DONE for state in states) else State.FAILED
    return State.PENDING if all(state is State.PENDING for state in states) else State.RUNNING


def first_failure(plan: Plan) -> str:
    """Return the reason of the first stage that failed by itself; empty if none did."""
    failed = [status for status in plan.values() if status.state is State.FAILED]
    return failed[0].reason if failed else ""


def _needs_are_met(plan: Plan, stage: Stage) -> bool:
    return all(need in plan and plan[need].state is State.DONE for need in stage.needs)


def _hopeless(plan: Plan, stage: Stage) -> str:
    why = unmet(plan, stage)
    missing = [need for need in stage.needs if need not in plan]
    # A need may still be declared by a stage that has not ended; when only waiters are left, it never will be.
    if not why and missing and not any(_may_still_run(plan, name) for name in plan):
        why = f"needs stage {missing[0]}, which no stage declared"
    return why


def _may_still_run(plan: Plan, name: str, waiting: frozenset[str] = frozenset()) -> bool:
    """Say whether an open stage's needs have ended well or may yet, themselves declared and not going in a circle."""
    if name not in plan or name in waiting or plan[name].state.ended:
        return False
    needs = plan[name].stage.needs
    return all(
        need in plan and (plan[need].state is State.DONE or _may_still_run(plan, need, waiting | {name}))
        for need in needs
    )
