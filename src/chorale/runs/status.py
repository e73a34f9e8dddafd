"""``status.json``: the run at a glance, derived from its stages, rewritten whole at each change."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chorale.core import files
from chorale.core.errors import InputError
from chorale.ranks.environment import host_name
from chorale.runs.directory import Run
from chorale.runs.heartbeat import STALE_S, beating
from chorale.runs.items import State


def status_path(run: Run) -> Path:
    """Return the path of the run's status."""
    return run.directory / "status.json"


def read_status(run: Run) -> dict[str, Any]:
    """Return the status as last written; ``{"state": "pending"}`` if it never was."""
    path = status_path(run)
    return dict(files.read_json(path)) if path.exists() else {"state": State.PENDING.value}


def write_status(run: Run, state: State, **details: Any) -> None:
    """Write the run's state, host, process, time and whatever ``details`` the caller knows (attempt, jobs, failure)."""
    kept = {key: value for key, value in read_status(run).items() if key in ("attempt", "jobs", "driver")}
    tree = {**kept, "run": run.name, "state": state.value, "host": host_name(), "heartbeat": round(time.time(), 3)}
    files.write_json(status_path(run), {**tree, **details})


@contextlib.contextmanager
def driving(run: Run) -> Iterator[None]:
    """Mark this process as the one that drives the run, and keep its heartbeat while the block runs.

    Raises:
        InputError: Another live process drives it.
    """
    last = read_status(run)
    driver = last.get("driver")
    if driver and _alive(run, driver):
        raise InputError(
            f"{run.name}: is being driven by process {driver['pid']} on {driver['host']}",
            "watch it with `chorale status`, or stop that process first",
        )
    write_status(
        run,
        State.RUNNING,
        attempt=int(last.get("attempt", 0)) + 1,
        driver={"host": host_name(), "pid": os.getpid()},
    )
    try:
        with beating(status_path(run)):
            yield
    finally:
        write_status(run, State(read_status(run)["state"]), driver=None)


def is_driven(run: Run) -> bool:
    """Say whether a live process drives the run."""
    driver = read_status(run).get("driver")
    return driver is not None and (driver["pid"] == os.getpid() or _alive(run, driver))


def _alive(run: Run, driver: dict[str, Any]) -> bool:
    if driver["host"] == host_name():
        return driver["pid"] != os.getpid() and Path(f"/proc/{driver['pid']}").exists()
    return time.time() - status_path(run).stat().st_mtime < STALE_S
