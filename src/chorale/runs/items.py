"""Items: each piece of work in a run's directory, who holds it, and how each attempt at it ended.

``stages/<stage>/<item>.<attempt>.json`` is written by the attempt that made it, and by nobody else. An attempt takes
its number by exclusive creation, so two processes never hold the same one. The file's modification time is its
heartbeat. What others find out about an attempt that cannot speak for itself any more (its host died, its job was
cancelled) they write beside it, once, as ``<item>.<attempt>.verdict.json``. The newest attempt is the truth of an item.
"""

from __future__ import annotations

import enum
import json
import os
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from chorale.core import files
from chorale.core.errors import ChoraleError, WorkError
from chorale.ranks.environment import host_name
from chorale.runs.heartbeat import STALE_S, beating


class State(enum.StrEnum):
    """How an item stands."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return self in (State.DONE, State.FAILED, State.CANCELLED)


class Failure(enum.StrEnum):
    """Why an item did not end well; each calls for another remedy."""

    ERROR = "error"  # in the experiment's code
    INPUT = "input"  # what the user gave is wrong or missing
    KILLED = "killed"  # a signal nobody announced
    CANCELLED = "cancelled"  # somebody cancelled the job
    OUT_OF_MEMORY = "out-of-memory"
    DISK_FULL = "disk-full"
    TIME_LIMIT = "time-limit"
    NODE_FAILURE = "node-failure"
    PREEMPTED = "preempted"
    LOST = "lost"  # no sign of life, and nobody knows why
    DEPENDENCY = "dependency"  # a stage it needs failed


@dataclass(frozen=True)
class ItemRecord:
    """One attempt at one item.

    Attributes:
        index: Position in the stage's items.
        attempt: 1, 2, ...; 0 if nobody has tried.
        state: How it stands.
        host: Where it ran.
        pid: Its process there.
        job: Its job: Slurm's ``123`` or ``123_4``, ``local-123`` for a local worker; empty in the user's own process.
        started: Seconds since the epoch.
        seconds: Wall time it took; None until it has ended.
        result: What the stage's function gave back.
        failure: Why it did not end well; None otherwise.
        message: One line about the failure.
        heartbeat: Last sign of life, seconds since the epoch.
    """

    index: int
    attempt: int = 0
    state: State = State.PENDING
    host: str = ""
    pid: int = 0
    job: str = ""
    started: float = 0.0
    seconds: float | None = None
    result: JsonValue = None
    failure: Failure | None = None
    message: str = ""
    heartbeat: float = 0.0

    def is_alive(self) -> bool:
        """Say whether the attempt is running and has lately given a sign of life."""
        if self.state is not State.RUNNING:
            return False
        if self.host == host_name() and not _process_exists(self.pid):
            return False
        return time.time() - self.heartbeat < STALE_S


class SupersededError(ChoraleError):
    """A newer attempt holds the item, or somebody declared this one dead: it must write nothing more."""


class Claim:
    """The right to work on one item, held by this process until it is finished or failed.

    Args:
        directory: The stage's directory.
        record: The attempt as it was created.
    """

    def __init__(self, directory: Path, record: ItemRecord) -> None:
        self._directory = directory
        self.record = record

    @property
    def path(self) -> Path:
        """The attempt's own file."""
        return _attempt_path(self._directory, self.record.index, self.record.attempt)

    def check(self) -> None:
        """Make sure that this attempt is still the newest.

        Raises:
            SupersededError: It is not.
        """
        index, attempt = self.record.index, self.record.attempt
        if _verdict_path(self._directory, index, attempt).exists():
            raise SupersededError(f"{self.path}: attempt {attempt} was declared dead while it slept")
        if _attempt_path(self._directory, index, attempt + 1).exists():
            raise SupersededError(f"{self.path}: attempt {attempt + 1} has taken over")

    def finish(self, result: JsonValue) -> None:
        """Write that the item is done, with its result."""
        self._end(replace(self.record, state=State.DONE, result=result))

    def fail(self, failure: Failure, message: str, state: State = State.FAILED) -> None:
        """Write that this attempt failed, and why."""
        self._end(replace(self.record, state=state, failure=failure, message=" ".join(message.split())))

    def pause(self, failure: Failure, message: str) -> None:
        """Write that the attempt has saved itself and ended; the item is pending again."""
        self._end(replace(self.record, state=State.PENDING, failure=failure, message=" ".join(message.split())))

    def heartbeat(self) -> AbstractContextManager[None]:
        """Give a sign of life every few seconds while the block runs."""
        return beating(self.path)

    def _end(self, record: ItemRecord) -> None:
        self.check()
        self.record = replace(record, seconds=round(time.time() - record.started, 3))
        files.write_json(self.path, _plain(self.record))


def read_items(directory: Path, count: int) -> list[ItemRecord]:
    """Return the newest attempt at each of a stage's ``count`` items, in order.

    Raises:
        WorkError: An attempt's file is damaged.
    """
    newest: dict[int, int] = {}
    for path in directory.glob("*.json"):
        index, _, rest = path.name.partition(".")
        attempt = rest.partition(".")[0]
        if index.isdigit() and attempt.isdigit():
            newest[int(index)] = max(newest.get(int(index), 0), int(attempt))
    return [_read(directory, index, newest[index]) if index in newest else ItemRecord(index) for index in range(count)]


def read_attempts(directory: Path, index: int) -> list[ItemRecord]:
    """Return every attempt at one item, oldest first."""
    found: list[ItemRecord] = []
    while _attempt_path(directory, index, len(found) + 1).exists():
        found.append(_read(directory, index, len(found) + 1))
    return found


def read_item(directory: Path, index: int) -> ItemRecord:
    """Return the newest attempt at one item."""
    attempt = 0
    # Attempts are numbered without a gap. Listing the directory would cost each item of an array all the others.
    while _attempt_path(directory, index, attempt + 1).exists():
        attempt += 1
    return _read(directory, index, attempt) if attempt else ItemRecord(index)


def claim(directory: Path, index: int, job: str = "") -> Claim | None:
    """Take the next attempt at an item, or return None if somebody else works on it or it needs no more work.

    Args:
        directory: The stage's directory.
        index: The item.
        job: This process's job. An attempt that the same job left running is dead: the job has been requeued.
    """
    last = read_item(directory, index)
    if last.state.ended:
        return None
    if last.is_alive() and not (job and last.job == job):
        return None
    record = ItemRecord(
        index=index,
        attempt=last.attempt + 1,
        state=State.RUNNING,
        host=host_name(),
        pid=os.getpid(),
        job=job,
        started=round(time.time(), 3),
    )
    made = files.create_exclusively(_attempt_path(directory, index, record.attempt), json.dumps(_plain(record)))
    return Claim(directory, record) if made else None


def pronounce(directory: Path, record: ItemRecord, failure: Failure, message: str) -> None:
    """Write what became of an attempt that can no longer say so itself; the first verdict stands.

    An item that nobody has tried is given a first attempt, which never ran.
    """
    state = State.CANCELLED if failure in (Failure.CANCELLED, Failure.DEPENDENCY) else State.FAILED
    verdict = replace(record, state=state, failure=failure, message=" ".join(message.split()))
    if record.attempt == 0:
        verdict = replace(verdict, attempt=1)
        files.create_exclusively(_attempt_path(directory, record.index, 1), json.dumps(_plain(verdict)))
    else:
        path = _verdict_path(directory, record.index, record.attempt)
        files.create_exclusively(path, json.dumps(_plain(verdict)))


def reopen(directory: Path, record: ItemRecord) -> None:
    """Make an item that has ended pending again: its next attempt does the work anew."""
    fresh = ItemRecord(record.index, attempt=record.attempt + 1)
    files.create_exclusively(_attempt_path(directory, record.index, fresh.attempt), json.dumps(_plain(fresh)))


def summarise(records: Sequence[ItemRecord]) -> dict[str, int]:
    """Return how many items are in each state that occurs."""
    counts: dict[str, int] = {}
    for record in records:
        counts[record.state.value] = counts.get(record.state.value, 0) + 1
    return counts


def _attempt_path(directory: Path, index: int, attempt: int) -> Path:
    return directory / f"{index:06d}.{attempt}.json"


def _verdict_path(directory: Path, index: int, attempt: int) -> Path:
    return directory / f"{index:06d}.{attempt}.verdict.json"


def _plain(record: ItemRecord) -> dict[str, Any]:
    tree = asdict(record)
    del tree["heartbeat"]
    return tree


def _read(directory: Path, index: int, attempt: int) -> ItemRecord:
    path = _attempt_path(directory, index, attempt)
    verdict = _verdict_path(directory, index, attempt)
    # A verdict counts only while the attempt itself has not ended: an attempt that did finish knows better.
    record = _parse(path)
    if not record.state.ended and verdict.exists():
        record = _parse(verdict)
    return record


# An attempt that has ended is never written again: whoever watches a wide array need not read it a second time.
_ended: dict[Path, tuple[int, ItemRecord]] = {}


def _parse(path: Path) -> ItemRecord:
    try:
        written = path.stat()
        known = _ended.get(path)
        if known is not None and known[0] == written.st_mtime_ns:
            return known[1]
        tree = files.read_json(path)
        failure = Failure(tree["failure"]) if tree["failure"] else None
        heartbeat = written.st_mtime
        record = ItemRecord(**{**tree, "state": State(tree["state"]), "failure": failure, "heartbeat": heartbeat})
        if record.state.ended:
            _ended[path] = (written.st_mtime_ns, record)
        return record
    except (ChoraleError, KeyError, TypeError, ValueError, OSError) as error:
        raise WorkError(f"{path}: damaged ({error})", "delete it; the item is then done again") from error


def _process_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
