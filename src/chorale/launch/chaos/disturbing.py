"""Carry a run out on the testbed while ranks, jobs, nodes, links and the launcher itself are killed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chorale.core.errors import WorkError
from chorale.core.logs import get_logger
from chorale.core.progress import Progress
from chorale.core.seeds import seed_for
from chorale.launch.chaos.comparing import Account, account
from chorale.launch.chaos.kills import KINDS, pick, tasks_of
from chorale.launch.plan import Plan, overall, read_plan
from chorale.launch.testbed import Testbed
from chorale.runs.directory import Run
from chorale.runs.items import ItemRecord, State

KILL_LAUNCHER = "kill-launcher"
_FIRST, _LAST = 0.05, 0.95
"""Only kills between these shares of the work count: outside them a run has hardly anything to lose."""
_POLL_S = 0.25
_STUCK_S = 600.0
_log = get_logger(__name__)


Holder = tuple[str, int, int]
"""Stage, item and attempt."""


@dataclass(frozen=True)
class Kill:
    """One kill that hit a live process.

    Attributes:
        number: 1, 2, ...
        kind: What was done.
        progress: Share of the undisturbed run's work that was done by then.
        job: Whom it hit.
        host: Where.
        rank: Which rank; -1 for the launcher.
        stage: What the job was doing; empty for the launcher.
        item: Which item of it; -1 likewise.
        attempt: Which attempt; 0 likewise.
        bystanders: Stage, item and attempt of whatever else it hit: all that ran on a node, or wrote to a disk.
    """

    number: int
    kind: str
    progress: float
    job: str
    host: str
    rank: int
    stage: str = ""
    item: int = -1
    attempt: int = 0
    bystanders: tuple[Holder, ...] = ()

    def hits(self, holder: Holder) -> bool:
        """Say whether the kill hit this attempt."""
        return holder in ((self.stage, self.item, self.attempt), *self.bystanders)


class Launcher:
    """``chorale submit --wait`` in a process of its own, which may be killed and begun again.

    Args:
        words: The command's arguments.
        log: Where it prints.
    """

    def __init__(self, words: Sequence[str], log: Path) -> None:
        self._words, self._log = list(words), log
        self.begun = 0
        self.begin()

    def begin(self) -> None:
        """Start it (again)."""
        self.begun += 1
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "chorale", *self._words], stdout=log, stderr=log, start_new_session=True
            )

    def kill(self) -> None:
        """End it without a word."""
        self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None


def disturb(
    run: Run, launcher: Launcher, testbed: Testbed, whole: Account, kills: int, seed: int, kinds: Sequence[str] = ()
) -> list[Kill]:
    """Kill things ``kills`` times while the run goes on, then let it end.

    The moments are shares of the work, drawn by ``seed``: the k-th kill comes when so much is done that was not before.

    Args:
        run: The run.
        launcher: What submitted it.
        testbed: Where it runs.
        whole: The account of the undisturbed run.
        kills: How many kills must hit a live process.
        seed: Root of every draw.
        kinds: Names of kinds to draw from; all if empty.

    Raises:
        WorkError: Nothing has gone on for ten minutes: the run cannot come to its end.
    """
    draws = random.Random(seed_for(seed, "chaos"))
    moments = sorted(draws.uniform(_FIRST, _LAST) for _ in range(kills))
    names = list(kinds) or [*KINDS, KILL_LAUNCHER]
    done: list[Kill] = []
    progress, moved = 0.0, time.monotonic()
    with Progress(f"chaos on {run.name}", kills, "kills") as bar:
        while True:
            plan = read_plan(run)
            # Failed is not the end: the launcher tries again, and where it gave up, it is begun again below.
            if overall(plan) is State.DONE:
                break
            now = account(run).size / whole.size
            if now > progress:
                progress, moved = now, time.monotonic()
            if time.monotonic() - moved > _STUCK_S:
                raise WorkError(f"{run.name}: nothing has gone on for {_STUCK_S:.0f} s", f"see {run.logs}")
            if launcher.ended:
                launcher.begin()
            if len(done) < kills and _FIRST <= progress <= _LAST and progress >= moments[len(done)]:
                kill = _kill(run, plan, launcher, testbed, names, draws, len(done) + 1, progress)
                if kill is not None:
                    done.append(kill)
                    bar.update(len(done), f"{kill.kind} at {progress:.0%}")
            time.sleep(_POLL_S)
    return done


def _kill(
    run: Run,
    plan: Plan,
    launcher: Launcher,
    testbed: Testbed,
    names: list[str],
    draws: random.Random,
    number: int,
    progress: float,
) -> Kill | None:
    tasks = tasks_of(run.directory)
    if not tasks:
        return None
    kind, task = pick(tasks, names, draws)
    if kind == KILL_LAUNCHER:
        hit = Kill(number, kind, progress, "", os.uname().nodename, -1)
        launcher.kill()
    else:
        held = [holder for holder, record in _running(plan) if record.job == task.job]
        if not held or not Path(f"/proc/{task.pid}").exists():
            return None
        others = tuple(holder for holder, record in _running(plan) if _suffers_too(kind, task.host, record))
        hit = Kill(number, kind, progress, task.job, task.host, task.rank, *held[0], others)
        KINDS[kind](testbed, task)
    _log.info("kill %d: %s", number, asdict(hit))
    return hit


def _running(plan: Plan) -> list[tuple[Holder, ItemRecord]]:
    """Return the attempts that are at work."""
    records = ((name, record) for name, status in plan.items() for record in status.records)
    return [((name, r.index, r.attempt), r) for name, r in records if r.state is State.RUNNING]


def _suffers_too(kind: str, host: str, record: ItemRecord) -> bool:
    return kind == "fill-disk" or (kind in ("kill-node", "cut-link") and record.host == host)


def kills_json(kills: Sequence[Kill]) -> list[dict[str, Any]]:
    """Return the kills as JSON values."""
    return [asdict(kill) for kill in kills]
