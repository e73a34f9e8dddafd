"""What goes wrong on clusters, done on purpose to whatever a run is doing at that moment."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chorale.launch.testbed import Testbed, cut_link, kill_node, restart_node, restore_link

# Longer than the controller waits for a silent node before it gives the node up.
_CUT_S = 14.0
# Long enough for the work to want to write something.
_FULL_AT_MOST_S = 20.0
_FILLER = "filler"
_BLOCK_BYTES = 1 << 20
_POLL_S = 0.2
_WORK = b"chorale.launch.slurm.task"


@dataclass(frozen=True)
class Task:
    """A process of a run's job.

    Attributes:
        pid: Its id.
        job: Its Slurm job, ``12`` or ``12_3``.
        rank: Its rank in the job's step.
        host: Where it runs.
        run: Directory of the run that it works on.
    """

    pid: int
    job: str
    rank: int
    host: str
    run: Path


def tasks_of(directory: Path) -> list[Task]:
    """Return the live processes on this machine that carry items of the run in ``directory``."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, KeyError):
            command = (process / "cmdline").read_bytes()
            if _WORK not in command or str(directory).encode() not in command:
                continue
            text = (process / "environ").read_bytes().decode(errors="replace")
            variables = dict(entry.split("=", 1) for entry in text.split("\0") if "=" in entry)
            array = variables.get("SLURM_ARRAY_JOB_ID")
            job = f"{array}_{variables['SLURM_ARRAY_TASK_ID']}" if array else variables["SLURM_JOB_ID"]
            # The batch script's srun has the same words on its command line, and no rank of its own.
            if command.split(b"\0")[0].endswith(b"srun"):
                continue
            found.append(
                Task(int(process.name), job, int(variables["SLURM_PROCID"]), variables["SLURMD_NODENAME"], directory)
            )
    return sorted(found, key=lambda task: (task.job, task.rank))


def kill_rank(testbed: Testbed, task: Task) -> None:
    """End one rank as the kernel does when memory runs out."""
    os.kill(task.pid, signal.SIGKILL)


def kill_job(testbed: Testbed, task: Task) -> None:
    """End all ranks of the job at once; not by ``scancel``, which says that somebody wanted it so."""
    for rank in tasks_of(task.run):
        if rank.job == task.job:
            with contextlib.suppress(ProcessLookupError):
                os.kill(rank.pid, signal.SIGKILL)


def warn_job(testbed: Testbed, task: Task) -> None:
    """Warn the job of its time limit."""
    _slurm(testbed, "scancel", "--signal=USR2", task.job)


def requeue_job(testbed: Testbed, task: Task) -> None:
    """Take the job's nodes away and put it back into the queue."""
    _slurm(testbed, "scontrol", "requeue", task.job)


def kill_host(testbed: Testbed, task: Task) -> None:
    """Power the task's node off, and on again once the controller has missed it."""
    kill_node(testbed, task.host)
    restart_node(testbed, task.host)


def cut_host(testbed: Testbed, task: Task) -> None:
    """Pull the network cable of the task's node for longer than the controller waits."""
    cut_link(testbed, task.host)
    time.sleep(_CUT_S)
    restore_link(testbed, task.host)


def fill_disk(testbed: Testbed, task: Task) -> None:
    """Fill the disk that the run lies on, until the task has stumbled over it; then make room again."""
    filler = testbed.disk / _FILLER
    try:
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(_BLOCK_BYTES))
        _fill_the_rest(filler)
        deadline = time.monotonic() + _FULL_AT_MOST_S
        while time.monotonic() < deadline and Path(f"/proc/{task.pid}").exists():
            time.sleep(_POLL_S)
    finally:
        filler.unlink(missing_ok=True)


def _fill_the_rest(filler: Path) -> None:
    with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(os.sysconf("SC_PAGE_SIZE"))):
            pass


KINDS: dict[str, Callable[[Testbed, Task], None]] = {
    "kill-rank": kill_rank,
    "kill-job": kill_job,
    "time-limit": warn_job,
    "requeue": requeue_job,
    "kill-node": kill_host,
    "cut-link": cut_host,
    "fill-disk": fill_disk,
}


def pick(tasks: list[Task], kinds: list[str], draws: random.Random) -> tuple[str, Task]:
    """Draw a kind of kill and a live task to suffer it."""
    return draws.choice(kinds), draws.choice(tasks)


def _slurm(testbed: Testbed, *command: str) -> None:
    environment = {**os.environ, **testbed.environment()}
    # The job may have ended in this very moment; then there was nothing to kill, which the caller sees.
    subprocess.run(command, env=environment, capture_output=True, check=False)
