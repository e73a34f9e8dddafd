"""``chorale work``: join a run as a worker; what the batch templates call when they are given to ``sbatch`` by hand."""

from __future__ import annotations

from chorale.cli.carry import begin_run, fail_if_failed
from chorale.cli.options import Parser, add_config, open_run, parse_with_overrides
from chorale.core.logs import get_logger
from chorale.launch.plan import overall, read_plan
from chorale.launch.slurm.job import own_job_id, stop_on_signals
from chorale.launch.worker import work
from chorale.runs.status import write_status
from chorale.runs.stopping import GO_ON

_log = get_logger(__name__)


def main(words: list[str]) -> int:
    """Run the verb."""
    parser = Parser(
        "work",
        "Take whatever item of a run may be done, until the run has ended. Several workers, on several hosts, share a "
        "run; the first of them begins it.",
        ["chorale work configs/autovector/tiny.yaml", "sbatch slurm/array.sbatch configs/autovector/tiny.yaml"],
    )
    add_config(parser)
    options, overrides = parse_with_overrides(parser, words)
    run = open_run(options.config, overrides)
    begin_run(run)
    stop = stop_on_signals()
    state = work(run, own_job_id(), stop)
    plan = read_plan(run)
    write_status(run, overall(plan))
    _log.info("%s: %s", run.name, state)
    fail_if_failed(plan)
    return 0 if state.ended else GO_ON
