"""A stage of MPI ranks on this machine: started by ``mpiexec``, the system's or the one that PyPI ships.

``python -m chorale.launch.mpi_here RUN STAGE INDEX JOB`` is what each of its processes runs.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from chorale.core import logs
from chorale.core.errors import ChoraleError, InputError, WorkError
from chorale.core.logs import get_logger
from chorale.launch.execution import execute
from chorale.launch.plan import read_stage
from chorale.ranks.group import open_group
from chorale.ranks.mpiexec import mpi_environment, mpiexec
from chorale.runs.contract import Stage
from chorale.runs.directory import Run
from chorale.runs.items import Failure, State, claim, read_item
from chorale.runs.stopping import GO_ON, StopFlag

_MODULE = "chorale.launch.mpi_here"
_log = get_logger(__name__)


def ranks_wished(stage: Stage) -> int:
    """Return how many processes a stage wishes for; 1 if it is not one of MPI ranks."""
    wished = stage.resources
    return (wished.nodes or 1) * (wished.ranks_per_node or 1) if stage.kind == "mpi" else 1


def execute_with_ranks(run: Run, stage: Stage, index: int, job: str) -> State:
    """Do one item by as many MPI ranks as its stage wishes for, and return how it stands then."""
    words = [sys.executable, "-m", _MODULE, str(run.directory), stage.name, str(index), job]
    try:
        command = [*mpiexec(ranks_wished(stage)), *words]
    except InputError as error:
        return _fail(run, stage, index, job, Failure.INPUT, str(error))
    before = read_item(run.stage_directory(stage.name), index).attempt
    # A session of its own: Ctrl-C reaches this process alone, which passes a warning on and waits for the save.
    process = subprocess.Popen(command, env=mpi_environment(), start_new_session=True)
    try:
        status = process.wait()
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        raise
    record = read_item(run.stage_directory(stage.name), index)
    if record.attempt == before and not record.state.ended:
        # They never came to claim it; without a word about that, it would be tried for ever.
        reason = f"{' '.join(command[:3])} ... ended with status {status} before any work"
        return _fail(run, stage, index, job, Failure.ERROR, reason)
    return record.state


def _fail(run: Run, stage: Stage, index: int, job: str, failure: Failure, message: str) -> State:
    claimed = claim(run.stage_directory(stage.name), index, job)
    if claimed is not None:
        claimed.fail(failure, message)
    return read_item(run.stage_directory(stage.name), index).state


def main(words: Sequence[str]) -> int:
    """Be one rank of an item, and return the exit status."""
    logs.configure()
    directory, name, index, job = words
    run = Run(Path(directory))
    stop = StopFlag()

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        stop.set("preempted")

    for number in (signal.SIGTERM, signal.SIGUSR2):
        signal.signal(number, ask_to_stop)
    try:
        stage = read_stage(run, name)
        if stage is None:
            raise WorkError(f"{run.name}: there is no stage {name}")
        group = open_group("mpi", run.config.where.timeout_s)
        state = execute(run, stage, int(index), job, stop, group=group)
        group.close()
    except ChoraleError as error:
        print(f"chorale: {error}", file=sys.stderr)
        return error.exit_status
    return GO_ON if state is State.PENDING and stop else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
