"""``chorale run``: an experiment from its configuration to its report, on this machine."""

from __future__ import annotations

import sys

from chorale.cli.carry import begin_run, carry_out_here
from chorale.cli.options import Parser, add_config, add_json, open_run, parse_with_overrides, print_json
from chorale.cli.outcome import outcome_json, print_outcome
from chorale.core.logs import get_logger
from chorale.launch.begin import reopen_stage
from chorale.launch.plan import overall, read_plan
from chorale.runs.items import State

_log = get_logger(__name__)


def main(words: list[str]) -> int:
    """Run the verb."""
    parser = Parser(
        "run",
        "Carry an experiment out on this machine. The same configuration is the same run: finished, it is not run "
        "again; interrupted, it goes on.",
        [
            "chorale run configs/autovector/tiny.yaml",
            "chorale run configs/autovector/tiny.yaml --search.population 8 --where.workers 4",
            "chorale run configs/autovector/tiny.yaml --debug      # one process; breakpoints work",
            "chorale run configs/autovector/tiny.yaml --again features",
        ],
    )
    parser.add_argument("--debug", action="store_true", help="do everything in this process, let exceptions through")
    parser.add_argument("--again", metavar="STAGE", help="do this stage again, though it is done")
    add_json(parser)
    add_config(parser)
    options, overrides = parse_with_overrides(parser, words)
    run = open_run(options.config, overrides)
    if run.config.where.executor == "slurm":
        from chorale.cli.submit import submit

        return submit(run, run.config.where.cluster, wait=True, as_json=options.json)
    plan = begin_run(run)
    if options.again:
        _log.info("%s: %d item(s) of stage %s again", run.name, reopen_stage(run, options.again), options.again)
        plan = read_plan(run)
    if overall(plan) is State.DONE:
        print(f"{run.name}: finished, nothing to do", file=sys.stderr)
    else:
        carry_out_here(run, debug=options.debug)
    if options.json:
        print_json(outcome_json(run))
    else:
        print_outcome(run)
    return 0
