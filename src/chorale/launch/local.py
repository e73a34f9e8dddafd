"""The local executor: worker processes on this machine, started and watched through submitit."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chorale.core import logs
from chorale.core.errors import WorkError
from chorale.core.logs import get_logger
from chorale.launch.plan import cancel_hopeless, overall, read_plan
from chorale.launch.progress import PlanProgress
from chorale.launch.snapshot import running, snapshot
from chorale.launch.worker import work
from chorale.runs.directory import Run
from chorale.runs.items import State

if TYPE_CHECKING:
    from submitit import Job, LocalExecutor

_POLL_S = 0.3
# submitit kills a local job after two minutes unless told otherwise; a local run has no time limit.
_NO_TIME_LIMIT_MIN = 60 * 24 * 365
# How long workers have to see that the run has ended.
_ENDING_S = 3.0
# So many deaths are no accident; something kills every worker.
_MAX_REPLACED = 20
_log = get_logger(__name__)


@dataclass(frozen=True)
class LocalWorker:
    """What a worker process runs, pickled by submitit into the run's own directory."""

    directory: str

    def __call__(self) -> str:
        """Work on the run until it has ended and return its state."""
        logs.configure()
        job = f"local-{os.environ['SUBMITIT_LOCAL_JOB_ID']}"
        return work(Run(Path(self.directory)), job, with_ranks=True).value


def run_locally(run: Run, workers: int) -> State:
    """Carry out a run with ``workers`` processes and return its state; Ctrl-C stops them and can be gone on from.

    A worker that dies is replaced: what it was doing is tried again, up to a limit.
    """
    executor = _executor(run)
    jobs = [_start(executor, run, rank) for rank in range(workers)]
    replaced = 0
    try:
        with PlanProgress(run.name) as progress:
            while True:
                plan = cancel_hopeless(run)
                progress.show(plan)
                if overall(plan).ended:
                    _let_end(jobs)
                    return overall(plan)
                ended = [rank for rank, job in enumerate(jobs) if job.done()]
                # A worker also ends when the run does, which may have been since the plan was read.
                if ended and overall(read_plan(run)).ended:
                    continue
                for rank in ended:
                    replaced += 1
                    if replaced > _MAX_REPLACED:
                        raise WorkError(f"{run.name}: workers keep dying", f"see {jobs[rank].paths.stderr}")
                    _log.warning("worker %s ended early; another takes its place", jobs[rank].job_id)
                    jobs[rank] = _start(executor, run, rank)
                time.sleep(_POLL_S)
    finally:
        for job in jobs:
            if not job.done():
                job.cancel()


def default_workers() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def _let_end(jobs: Sequence[Job[str]]) -> None:
    """Give workers time to see that the run has ended."""
    deadline = time.monotonic() + _ENDING_S
    while time.monotonic() < deadline and not all(job.done() for job in jobs):
        time.sleep(_POLL_S / 10)


@contextlib.contextmanager
def _errors_to(path: Path) -> Iterator[None]:
    """Let processes that are started in the block write their standard error to ``path``.

    submitit gives its controllers ours; interrupted, each would print a traceback on the user's terminal.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stderr.flush()
    kept = os.dup(2)
    with path.open("ab") as file:
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _executor(run: Run) -> LocalExecutor:
    from submitit import LocalExecutor

    executor = LocalExecutor(folder=run.logs / "local")
    executor.update_parameters(timeout_min=_NO_TIME_LIMIT_MIN)
    return executor


def _start(executor: LocalExecutor, run: Run, rank: int) -> Job[str]:
    gpus = _visible_gpus()
    # submitit hides every GPU from a job that does not ask for one.
    own = [gpus[rank % len(gpus)]] if gpus else []
    executor.update_parameters(gpus_per_node=len(own), visible_gpus=own)
    # A worker that is replaced in the middle of a run must not meet source that was edited since.
    with running(snapshot(run)), _errors_to(run.logs / "local" / "controllers.log"):
        return executor.submit(LocalWorker(str(run.directory)))


def _visible_gpus() -> list[int]:
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [int(part) for part in chosen.split(",") if part.strip().isdigit()]
    return sorted(int(m[1]) for path in Path("/dev").glob("nvidia*") if (m := re.fullmatch(r"nvidia(\d+)", path.name)))
