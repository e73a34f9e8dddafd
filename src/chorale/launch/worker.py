"""A worker: takes whatever item of a run may be done now, until nothing is left.

Several workers on several hosts may work on one run; an item goes to the one that creates its attempt. This is what a
local worker process does, what ``sbatch slurm/array.sbatch CONFIG`` does in each array task, and, alone, what runs in
the user's own process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from chorale.core.logs import get_logger
from chorale.launch.execution import execute
from chorale.launch.mpi_here import execute_with_ranks, ranks_wished
from chorale.launch.plan import Plan, cancel_hopeless, overall, ready
from chorale.runs.contract import Stage
from chorale.runs.directory import Run
from chorale.runs.items import Failure, ItemRecord, State, pronounce
from chorale.runs.stopping import StopFlag

_POLL_S = 0.5
_log = get_logger(__name__)


def work(
    run: Run,
    job: str = "",
    stop: StopFlag | None = None,
    debug: bool = False,
    watch: Callable[[Plan], None] | None = None,
    with_ranks: bool = False,
) -> State:
    """Do items until the run has ended, and return the run's state.

    Args:
        run: The run, its stages declared.
        job: This process's job, for status and logs.
        stop: Once set, no further item is taken.
        debug: Let exceptions of the experiment's code through.
        watch: Called with the plan before each item, for progress.
        with_ranks: Start as many processes for a stage of MPI ranks as it wishes for; otherwise this one is all.
    """
    stop = StopFlag() if stop is None else stop
    while not stop:
        plan = cancel_hopeless(run)
        if watch is not None:
            watch(plan)
        if overall(plan).ended:
            break
        for stage, record in _open_items(plan):
            if _give_up(run, stage, record) or record.is_alive():
                continue
            _log.info("%s item %d of %d", stage.name, record.index + 1, len(stage.items))
            if with_ranks and ranks_wished(stage) > 1:
                execute_with_ranks(run, stage, record.index, job)
            else:
                execute(run, stage, record.index, job, stop, debug)
            break
        else:
            time.sleep(_POLL_S)
    return overall(cancel_hopeless(run))


def _open_items(plan: Plan) -> Iterator[tuple[Stage, ItemRecord]]:
    for status in ready(plan):
        for record in status.records:
            if not record.state.ended:
                yield status.stage, record


def _give_up(run: Run, stage: Stage, record: ItemRecord) -> bool:
    # Another try would most likely take another worker down.
    if record.state is not State.RUNNING or record.attempt <= run.config.where.retries or record.is_alive():
        return False
    message = f"its process died without a word in each of {record.attempt} attempts, last on {record.host}"
    pronounce(run.stage_directory(stage.name), record, Failure.KILLED, message)
    return True
