"""``chorale retry``: try again what failed in a run, and only that."""

from __future__ import annotations

from typing import Any

from chorale.cli.carry import carry_out_here, fail_if_failed, prepare_here
from chorale.cli.options import Parser, add_json, add_runs, print_json, which_run
from chorale.core.logs import get_logger
from chorale.launch.retry import reopen_what_failed
from chorale.launch.slurm.assignment import read_assignment, was_submitted
from chorale.launch.slurm.clusters import find_cluster
from chorale.launch.slurm.settling import note_state, settle
from chorale.runs.directory import Run
from chorale.runs.status import is_driven

_log = get_logger(__name__)


def main(words: list[str]) -> int:
    """Run the verb."""
    parser = Parser(
        "retry",
        "Try again what failed or was cancelled in a run, of tolerant stages too, and go on as before: as jobs if it "
        "was submitted, otherwise here. What is done is not done again.",
        ["chorale retry tiny --failed", "chorale retry 3f2a9c --failed --stage generation-003 --wait"],
    )
    parser.add_argument("run", metavar="RUN", help="a directory, or part of a run's name")
    parser.add_argument("--failed", action="store_true", required=True, help="what failed or was cancelled")
    parser.add_argument("--stage", help="only items of this stage, and what was cancelled for want of a stage")
    parser.add_argument("--wait", action="store_true", help="stay until a submitted run has ended")
    add_runs(parser)
    add_json(parser)
    options = parser.parse_args(words)
    run = which_run(options.run, options.runs)
    if was_submitted(run):
        # An item whose job died in silence has failed too, once somebody has looked.
        settle(run, find_cluster(read_assignment(run).cluster))
    reopened = reopen_what_failed(run, options.stage)
    for name in reopened.outdated:
        _log.warning(
            "%s is done and has not seen what is tried again; do it again by `run CONFIG --again %s`", name, name
        )
    if not reopened.count:
        message = f"{run.name}: nothing has failed"
    elif is_driven(run):
        # Its workers take whatever is open.
        message = f"{run.name}: {reopened.count} item(s) open again for the process that drives the run"
    elif was_submitted(run):
        _submit(run, options.wait)
        message = (
            f"{run.name}: {reopened.count} item(s) tried again; `chorale status {run.identity}` tells how they stand"
        )
    else:
        carry_out_here(run)
        message = f"{run.name}: {reopened.count} item(s) tried again"
    told: dict[str, Any] = {"run": run.name, "items": reopened.items, "outdated": list(reopened.outdated)}
    print_json(told) if options.json else print(message)
    return 0


def _submit(run: Run, wait: bool) -> None:
    from chorale.launch.slurm.executor import submit_ready
    from chorale.launch.slurm.waiting import wait_for_end

    cluster = find_cluster(read_assignment(run).cluster)
    prepare_here(run)
    note_state(run, submit_ready(run, cluster))
    if wait:
        fail_if_failed(wait_for_end(run, cluster))
