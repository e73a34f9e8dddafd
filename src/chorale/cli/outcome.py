"""How a run ended: its main table and where its page is."""

from __future__ import annotations

import sys
from typing import Any

from chorale.launch.plan import overall, read_plan
from chorale.runs.directory import Run
from chorale.runs.items import summarise
from chorale.runs.parts import Table

_LOG_WIDTH = 140


def outcome_json(run: Run) -> dict[str, Any]:
    """Return the run's state, the final stage's result and the page's path."""
    plan = read_plan(run)
    final = plan.get(run.experiment.final_stage)
    return {
        "run": run.name,
        "directory": str(run.directory),
        "state": overall(plan).value,
        "stages": {name: summarise(status.records) for name, status in plan.items()},
        "result": final.records[0].result if final else None,
        "report": str(run.report_page) if run.report_page.exists() else None,
    }


def print_outcome(run: Run) -> None:
    """Print the first table of the run's report, and the report's path."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table as Grid

    # In a log, eighty columns would cut the figures that the table is for.
    console = Console() if sys.stdout.isatty() else Console(width=_LOG_WIDTH)
    tables = [part for part in run.experiment.report(run, run.config) if isinstance(part, Table)]
    for table in tables[:1]:
        grid = Grid(
            *table.columns, title=table.title, caption=table.note or None, box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
        )
        for row in table.rows:
            grid.add_row(*(_cell(cell) for cell in row))
        console.print(grid)
    print(f"run:    {run.directory}")
    print(f"report: {run.report_page}")


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
