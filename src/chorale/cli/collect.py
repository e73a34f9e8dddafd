"""``chorale collect``: the results of a run as a table."""

from __future__ import annotations

import sys
from pathlib import Path

from chorale.cli.options import Parser, add_json, add_runs, print_json, which_run
from chorale.core.errors import InputError
from chorale.launch.collecting import as_csv, collect, write_table
from chorale.launch.plan import read_plan


def main(words: list[str]) -> int:
    """Run the verb."""
    parser = Parser(
        "collect",
        "Collect the results of a run: one row for each item, with its state, host, time and result; of a run that has "
        "not ended too.",
        [
            "chorale collect tiny --stage generation-001",
            "chorale collect tiny --out results.csv",
            "chorale collect tiny --out results.parquet      # needs the extra `table`",
        ],
    )
    parser.add_argument("run", metavar="RUN", help="a directory, or part of a run's name")
    parser.add_argument("--stage", help="only this stage (default: all)")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="a .csv or .parquet file (default: CSV on the terminal)"
    )
    add_runs(parser)
    add_json(parser)
    options = parser.parse_args(words)
    run = which_run(options.run, options.runs)
    plan = read_plan(run)
    if options.stage is not None and options.stage not in plan:
        raise InputError(f"{run.name}: no stage {options.stage!r}", f"its stages are: {', '.join(plan)}")
    rows = collect(plan, [options.stage] if options.stage is not None else plan)
    if options.out is not None:
        write_table(options.out, rows)
        print(f"{run.name}: {len(rows)} rows in {options.out}", file=sys.stderr)
    if options.json:
        print_json(rows)
    elif options.out is None:
        sys.stdout.write(as_csv(rows))
    return 0
