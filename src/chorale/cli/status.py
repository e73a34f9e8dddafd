"""``chorale status``: runs, or the stages of one, from their directories and from the queue."""

from __future__ import annotations

import time
from typing import Any

from chorale.cli.options import Parser, add_json, add_runs, print_json, which_run
from chorale.core.errors import ChoraleError
from chorale.core.logs import get_logger
from chorale.launch.plan import Plan, overall, read_plan
from chorale.launch.slurm.assignment import read_assignment, was_submitted
from chorale.runs.directory import Run, all_runs
from chorale.runs.items import State, summarise
from chorale.runs.status import is_driven

_log = get_logger(__name__)


def main(words: list[str]) -> int:
    """Run the verb."""
    parser = Parser(
        "status",
        "Show how runs stand; with RUN, its stages, and which items failed and why.",
        ["chorale status", "chorale status tiny", "chorale status 3f2a9c --json"],
    )
    parser.add_argument("run", nargs="?", metavar="RUN", help="a directory, or part of a run's name")
    add_runs(parser)
    add_json(parser)
    options = parser.parse_args(words)
    if options.run:
        told = describe(which_run(options.run, options.runs))
        print_json(told) if options.json else _print_run(told)
        return 0
    rows = [_row(run) for run in all_runs(options.runs)]
    print_json(rows) if options.json else _print_rows(rows)
    return 0


def describe(run: Run) -> dict[str, Any]:
    """Return a run's state, its stages, and every item that did not end well."""
    plan = _current(run)
    stages = []
    for name, status in plan.items():
        hosts = sorted({record.host for record in status.records if record.host})
        seconds = sum(record.seconds or 0.0 for record in status.records)
        stages.append(
            {
                "stage": name,
                "state": status.state.value,
                "items": summarise(status.records),
                "attempts": max((record.attempt for record in status.records), default=0),
                "hosts": hosts,
                "seconds": round(seconds, 1),
            }
        )
    failures = [
        {
            "stage": name,
            "item": record.index,
            "attempt": record.attempt,
            "failure": record.failure.value,
            "host": record.host,
            "job": record.job,
            "message": record.message,
        }
        for name, status in plan.items()
        for record in status.records
        if record.failure is not None
    ]
    return {**_row(run, plan), "stages": stages, "failures": failures}


def _row(run: Run, plan: Plan | None = None) -> dict[str, Any]:
    plan = plan if plan is not None else read_plan(run)
    records = [record for status in plan.values() for record in status.records]
    beats = [record.heartbeat for record in records if record.heartbeat]
    state = overall(plan).value
    submitted = was_submitted(run)
    if state == State.RUNNING and not submitted and not is_driven(run):
        alive = any(record.is_alive() for record in records)
        state = state if alive else "interrupted"
    return {
        "run": run.name,
        "state": state,
        "done": sum(record.state is State.DONE for record in records),
        "items": len(records),
        "where": read_assignment(run).cluster if submitted else run.config.where.executor,
        "heartbeat_age_s": round(time.time() - max(beats), 1) if beats else None,
        "directory": str(run.directory),
    }


def _current(run: Run) -> Plan:
    if was_submitted(run) and not overall(read_plan(run)).ended:
        from chorale.launch.slurm.clusters import find_cluster
        from chorale.launch.slurm.settling import settle

        try:
            return settle(run, find_cluster(read_assignment(run).cluster))
        except ChoraleError as error:
            _log.warning("the queue cannot be asked (%s); what follows is from the run's directory alone", error)
    return read_plan(run)


def _print_rows(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("run", "state", "items", "where", "last sign of life")
    for row in rows:
        age = row["heartbeat_age_s"]
        table.add_row(row["run"], row["state"], f"{row['done']}/{row['items']}", row["where"], _ago(age))
    Console().print(table if rows else "no runs here yet; `chorale run configs/autovector/tiny.yaml` makes one")


def _print_run(told: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table("stage", "state", "items", "attempts", "hosts", "seconds", title=f"{told['run']}: {told['state']}")
    for stage in told["stages"]:
        items = ", ".join(f"{count} {state}" for state, count in stage["items"].items())
        row = (stage["stage"], stage["state"], items, stage["attempts"], ", ".join(stage["hosts"]), stage["seconds"])
        table.add_row(*(str(cell) for cell in row))
    console.print(table)
    for failure in told["failures"]:
        where = " ".join(part for part in (failure["host"], failure["job"]) if part)
        line = f"{failure['stage']} item {failure['item']}: {failure['failure']}: {failure['message']}"
        console.print(f"{line} [{where}]" if where else line, markup=False, soft_wrap=True)


def _ago(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"
