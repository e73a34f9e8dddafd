"""What ran and how it ended, read from the run's directory."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chorale.core import files
from chorale.core.errors import ChoraleError
from chorale.runs.contract import Stage
from chorale.runs.directory import Run
from chorale.runs.items import ItemRecord, State
from chorale.runs.parts import Table

REPORT_STAGE = "chorale.report.stage:report_stage"
"""The function of the stage that makes the page. The page does not count it: it cannot have ended yet."""

_DIGITS_OF_COMMIT = 10


@dataclass(frozen=True)
class Overview:
    """How a run stands.

    Attributes:
        state: ``done``, ``failed``, ``cancelled``, ``running``, ``pending``, or ``unfinished``: begun, not ended, and
            nobody is at work on it just now.
        facts: Name and value of what belongs on the first screen.
        stages: One row per stage.
        failures: One row per item that did not end well; None if all did.
        config: The configuration's text.
        where: The placement's text.
    """

    state: str
    facts: Sequence[tuple[str, str]]
    stages: Table
    failures: Table | None
    config: str
    where: str


def describe(run: Run) -> Overview:
    """Return how ``run`` stands, whatever state it is in."""
    declared = {name: stage for name, stage in run.stages().items() if stage.function != REPORT_STAGE}
    records = {name: run.items(stage) for name, stage in declared.items()}
    # In the order in which they ran; those that wait come last.
    order = sorted(declared, key=lambda name: (_began(records[name]) or float("inf"), name))
    everything = [record for name in order for record in records[name]]
    return Overview(
        state=_overall(declared, records),
        facts=_facts(run, everything),
        stages=_stage_table([(declared[name], records[name]) for name in order]),
        failures=_failure_table([(name, record) for name in order for record in records[name]]),
        config=_text(run, "config.yaml"),
        where=_text(run, "where.yaml"),
    )


def _overall(stages: dict[str, Stage], records: dict[str, list[ItemRecord]]) -> str:
    strict = [record.state for name, stage in stages.items() if not stage.tolerant for record in records[name]]
    everything = [record for name in stages for record in records[name]]
    for bad in (State.FAILED, State.CANCELLED):
        if bad in strict:
            return bad.value
    if everything and all(record.state.ended for record in everything):
        return State.DONE.value
    if any(record.is_alive() for record in everything):
        return State.RUNNING.value
    return "unfinished" if any(record.attempt for record in everything) else State.PENDING.value


def _facts(run: Run, records: Sequence[ItemRecord]) -> list[tuple[str, str]]:
    tried = [record for record in records if record.started]
    hosts = sorted({record.host for record in tried})
    work_s = sum(record.seconds or 0.0 for record in tried)
    facts = [("Experiment", run.directory.parent.name), ("Identity", run.identity)]
    if tried:
        facts += [
            ("Began", _moment(min(record.started for record in tried))),
            (
                "Took",
                f"{_duration(_wall_s(tried))} ({_duration(work_s)} of work)",
            ),
            ("Hosts" if len(hosts) > 1 else "Host", _few(hosts)),
        ]
    return [*facts, ("Commit", _commit(run))]


def _stage_table(stages: Sequence[tuple[Stage, list[ItemRecord]]]) -> Table:
    rows = []
    for stage, records in stages:
        tried = [record for record in records if record.started]
        bad = sum(record.state in (State.FAILED, State.CANCELLED) for record in records)
        done = sum(record.state is State.DONE for record in records)
        rows.append(
            (
                stage.name,
                len(records),
                done,
                bad,
                len(records) - done - bad,
                sum(record.attempt > 1 for record in records),
                _few(sorted({record.host for record in tried})),
                round(_wall_s(tried), 1) if tried else None,
                round(sum(record.seconds or 0.0 for record in tried), 1) if tried else None,
            )
        )
    columns = ("stage", "items", "done", "failed", "open", "retried", "hosts", "wall / s", "work / s")
    return Table(
        "Stages", columns, rows, note="Work is the sum over items; retried are items that took more than one attempt."
    )


def _failure_table(items: Sequence[tuple[str, ItemRecord]]) -> Table | None:
    rows = [
        (stage, item.index, item.attempt, item.failure.value if item.failure else "", item.host, item.job, item.message)
        for stage, item in items
        if item.state in (State.FAILED, State.CANCELLED)
    ]
    columns = ("stage", "item", "attempt", "why", "host", "job", "message")
    return Table("Failures", columns, rows) if rows else None


def _began(records: Sequence[ItemRecord]) -> float | None:
    return min((record.started for record in records if record.started), default=None)


def _wall_s(records: Sequence[ItemRecord]) -> float:
    last = max(
        record.started + record.seconds if record.seconds is not None else record.heartbeat for record in records
    )
    return max(0.0, last - min(record.started for record in records))


def _few(names: Sequence[str], at_most: int = 4) -> str:
    more = len(names) - at_most
    return ", ".join(names[:at_most]) + (f" and {more} more" if more > 0 else "")


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{round(seconds, 1):g} s"


def _commit(run: Run) -> str:
    try:
        code: dict[str, Any] = files.read_json(run.directory / "code.json")
    except ChoraleError:
        return "unknown"
    commit = (code.get("commit") or "unknown")[:_DIGITS_OF_COMMIT]
    return f"{commit} with uncommitted changes" if code.get("diff") else commit


def _text(run: Run, name: str) -> str:
    try:
        return (run.directory / name).read_text(encoding="utf-8")
    except OSError:
        return ""
