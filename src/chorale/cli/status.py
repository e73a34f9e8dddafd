"""``chorale status``: runs, or the stages of one, from their directories and from the queue."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chorale.cli.options import Parser, add_json, add_runs, print_json, which_run
from chorale.launch.describing import describe, summary_row
from chorale.runs.directory import all_runs

if TYPE_CHECKING:
    from rich.console import RenderableType

_ENDED = ("done", "failed", "cancelled")


def main(words: list[str]) -> int:
    """Run the verb."""
    parser = Parser(
        "status",
        "Show how runs stand; with RUN, its stages, and which items failed and why. Works without sacct: from the "
        "run's directory, its heartbeats, and the queue.",
        ["chorale status", "chorale status tiny", "chorale status tiny --watch", "chorale status 3f2a9c --json"],
    )
    parser.add_argument("run", nargs="?", metavar="RUN", help="a directory, or part of a run's name")
    parser.add_argument("--watch", action="store_true", help="show it again every few seconds until the run has ended")
    parser.add_argument(
        "--every", type=float, default=5.0, metavar="S", help="seconds between looks (default: %(default)s)"
    )
    add_runs(parser)
    add_json(parser)
    options = parser.parse_args(words)
    if options.watch:
        _watch(options.run, options.runs, options.every)
    elif options.run:
        told = describe(which_run(options.run, options.runs))
        print_json(told) if options.json else _show(_run_table(told), *_failure_lines(told))
    else:
        rows = [summary_row(run) for run in all_runs(options.runs)]
        print_json(rows) if options.json else _show(_rows_table(rows))
    return 0


def _watch(text: str | None, runs: Path, every_s: float) -> None:
    from rich.console import Console, Group
    from rich.live import Live

    console = Console()
    run = which_run(text, runs) if text else None
    with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:
        while True:
            told = describe(run) if run is not None else None
            table = (
                _run_table(told) if told is not None else _rows_table([summary_row(each) for each in all_runs(runs)])
            )
            parts = Group(table, *_failure_lines(told)) if told is not None else table
            # Without a terminal there is nothing to draw over: each look is printed below the last.
            live.update(parts, refresh=True) if console.is_terminal else console.print(parts)
            if told is not None and told["state"] in _ENDED:
                break
            time.sleep(every_s)


def _show(*parts: RenderableType) -> None:
    from rich.console import Console

    for part in parts:
        Console().print(part, soft_wrap=isinstance(part, str), markup=False)


def _rows_table(rows: list[dict[str, Any]]) -> RenderableType:
    from rich.table import Table

    table = Table("run", "state", "items", "where", "last sign of life")
    for row in rows:
        age = row["heartbeat_age_s"]
        table.add_row(row["run"], row["state"], f"{row['done']}/{row['items']}", row["where"], _ago(age))
    return table if rows else "no runs here yet; `chorale run configs/autovector/tiny.yaml` makes one"


def _run_table(told: dict[str, Any]) -> RenderableType:
    from rich.table import Table

    queued = any(stage["queue"] for stage in told["stages"])
    columns = ["stage", "state", "items", "attempts", "hosts", "seconds", *(["queue"] if queued else [])]
    table = Table(*columns, title=f"{told['run']}: {told['state']}")
    for stage in told["stages"]:
        items = ", ".join(f"{count} {state}" for state, count in stage["items"].items())
        row = [stage["stage"], stage["state"], items, stage["attempts"], ", ".join(stage["hosts"]), stage["seconds"]]
        table.add_row(*(str(cell) for cell in [*row, *([stage["queue"]] if queued else [])]))
    return table


def _failure_lines(told: dict[str, Any]) -> list[str]:
    lines = []
    for failure in told["failures"]:
        where = " ".join(part for part in (failure["host"], failure["job"]) if part)
        line = f"{failure['stage']} item {failure['item']}: {failure['failure']}: {failure['message']}"
        lines.append(f"{line} [{where}]" if where else line)
    return lines


def _ago(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"
