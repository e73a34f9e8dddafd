"""``chorale logs``: what the processes of a run printed."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from chorale.cli.options import Parser, add_runs, which_run
from chorale.core.errors import InputError
from chorale.launch.plan import read_plan
from chorale.runs.directory import Run


def main(words: list[str]) -> int:
    """Run the verb."""
    parser = Parser(
        "logs",
        "Print what a run's processes printed: the newest log, or the one of a stage's item.",
        ["chorale logs tiny", "chorale logs tiny --stage generation-001 --item 3", "chorale logs tiny --list"],
    )
    parser.add_argument("run", metavar="RUN", help="a directory, or part of a run's name")
    parser.add_argument("--stage", help="the log of this stage")
    parser.add_argument("--item", type=int, default=0, help="which item of it (default: %(default)s)")
    parser.add_argument("--list", action="store_true", help="only print the paths")
    add_runs(parser)
    options = parser.parse_args(words)
    run = which_run(options.run, options.runs)
    paths = _of_item(run, options.stage, options.item) if options.stage else _all(run)
    if options.list:
        print(*paths, sep="\n")
        return 0
    for path in paths if options.stage else paths[:1]:
        print(f"==> {path}", file=sys.stderr)
        with path.open(encoding="utf-8", errors="replace") as file:
            shutil.copyfileobj(file, sys.stdout)
    return 0


def _all(run: Run) -> list[Path]:
    paths = [path for path in run.logs.glob("*/*_log.*") if path.stat().st_size]
    if not paths:
        raise InputError(f"{run.name}: no logs yet", "a run in this process prints to the terminal")
    return sorted(paths, key=lambda path: -path.stat().st_mtime)


def _of_item(run: Run, stage: str, index: int) -> list[Path]:
    plan = read_plan(run)
    if stage not in plan:
        raise InputError(f"{run.name}: no stage {stage!r}", f"its stages are: {', '.join(plan)}")
    if not 0 <= index < len(plan[stage].records):
        raise InputError(f"{run.name}: stage {stage} has items 0 to {len(plan[stage].records) - 1}")
    job = plan[stage].records[index].job
    if not job:
        raise InputError(f"{run.name}: item {index} of {stage} has no log", "it has not run, or ran in a terminal")
    found = sorted(run.logs.glob(f"*/{job.removeprefix('local-')}_*_log.*"))
    return [path for path in found if path.stat().st_size]
