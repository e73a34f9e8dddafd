"""What is tried again: whatever was not the experiment's own fault, up to a limit, and not on nodes that fail again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from chorale.core.logs import get_logger
from chorale.launch.plan import Plan, StageStatus
from chorale.runs.directory import Run
from chorale.runs.items import Failure, ItemRecord, State, read_attempts, reopen

_RETRIED = frozenset(
    {
        *(Failure.KILLED, Failure.OUT_OF_MEMORY, Failure.TIME_LIMIT),
        *(Failure.DISK_FULL, Failure.NODE_FAILURE, Failure.PREEMPTED, Failure.LOST),
    }
)
_BLAMES_NODE = frozenset({Failure.KILLED, Failure.NODE_FAILURE, Failure.LOST})
_log = get_logger(__name__)


def retry(run: Run, plan: Plan, stages: Iterable[str]) -> int:
    """Make items of ``stages`` pending again that deserve another try, and return how many there were.

    What was cancelled for want of them is pending again too. An error in the code and wrong input would only happen
    again; what somebody cancelled stays cancelled.
    """
    again = [(name, record) for name in stages if name in plan for record in plan[name].records]
    again = [(name, record) for name, record in again if _deserves_another_try(run, plan[name], record)]
    for name, record in again:
        _log.info("%s item %d: %s; tried again", name, record.index, record.message)
        reopen(run.stage_directory(name), record)
    for name, status in plan.items() if again else ():
        for record in status.records:
            if record.failure is Failure.DEPENDENCY:
                reopen(run.stage_directory(name), record)
    return len(again)


def failing_nodes(run: Run, plan: Plan) -> list[str]:
    """Return the hosts on which as many attempts of this run died as ``where.exclude_after`` says, or more."""
    hosts: Counter[str] = Counter()
    for status in plan.values():
        for record in status.records:
            if record.attempt > 1 or record.failure in _BLAMES_NODE:
                tries = _failures(run, status, record)
                hosts.update(t.host for t in tries if t.failure in _BLAMES_NODE and t.host)
    limit: int = run.config.where.exclude_after
    return sorted(host for host, count in hosts.items() if count >= limit)


def _deserves_another_try(run: Run, status: StageStatus, record: ItemRecord) -> bool:
    if record.state is not State.FAILED or record.failure not in _RETRIED:
        return False
    limit: int = run.config.where.retries
    return len(_failures(run, status, record)) <= limit


def _failures(run: Run, status: StageStatus, record: ItemRecord) -> list[ItemRecord]:
    tries = read_attempts(run.stage_directory(status.stage.name), record.index)
    return [attempt for attempt in tries if attempt.state is State.FAILED and attempt.failure in _RETRIED]
