"""Processes of the testbed: started apart from the caller, recorded, recognised again, killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from chorale.core.errors import WorkError
from chorale.core.files import write_text
from chorale.launch.testbed.layout import Testbed

_POLL_S = 0.02
_START_TIMEOUT_S = 10.0
_KILL_TIMEOUT_S = 10.0
# The process writes its own id and then becomes the command, so the id is the daemon's.
_RECORD_AND_BECOME = 'echo $$ > "$0"; exec "$@"'


def start(testbed: Testbed, name: str, command: list[str]) -> int:
    """Start ``command`` apart from this process, with its output in ``logs/<name>.out``, and record it under ``name``.

    Returns:
        The process id.

    Raises:
        WorkError: It did not start.
    """
    record = _record(testbed, name)
    record.unlink(missing_ok=True)
    launcher = ["setsid", "--fork", "sh", "-c", _RECORD_AND_BECOME, str(record), *command]
    with log_file(testbed, name).open("ab") as log:
        subprocess.run(launcher, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True)
    wait_until(lambda: record.exists() and record.read_text().strip() != "", f"{name} did not start", testbed, name)
    pid = int(record.read_text())
    write_text(record, f"{pid} {_start_time(pid)}\n")
    return pid


def pid_of(testbed: Testbed, name: str) -> int | None:
    """Return the id of the process recorded under ``name`` if it still lives, else None."""
    try:
        pid, start_time = _record(testbed, name).read_text().split()
    except (OSError, ValueError):
        return None
    # An id is given out again by the kernel; together with the start time it is unique.
    return int(pid) if _start_time(int(pid)) == start_time else None


def recorded(testbed: Testbed) -> list[int]:
    """Return the ids of all recorded processes that still live."""
    pids = (pid_of(testbed, record.stem) for record in sorted(testbed.run.glob("*.pid")))
    return [pid for pid in pids if pid is not None]


def kill_all(list_pids: Callable[[], list[int]]) -> None:
    """Kill what ``list_pids`` names, again and again until it names nothing, since processes may fork meanwhile.

    Raises:
        WorkError: Some of them do not die.
    """
    deadline = time.monotonic() + _KILL_TIMEOUT_S
    while pids := list_pids():
        if time.monotonic() > deadline:
            raise WorkError(f"testbed: processes {pids} do not die", "look at what they wait for in /proc/PID/stack")
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_POLL_S)


def wait_until(ready: Callable[[], bool], complaint: str, testbed: Testbed, name: str) -> None:
    """Wait until ``ready()``.

    Raises:
        WorkError: It took too long; the last line that ``name`` logged is part of the message.
    """
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not ready():
        if time.monotonic() > deadline:
            log = log_file(testbed, name)
            lines = log.read_text(errors="replace").splitlines() if log.exists() else []
            raise WorkError(f"testbed: {complaint} ({lines[-1] if lines else 'no message'})", f"see {log}")
        time.sleep(_POLL_S)


def log_file(testbed: Testbed, name: str) -> Path:
    """Return the file that collects what the process recorded under ``name`` says."""
    return testbed.logs / f"{name}.out"


def is_alive(pid: int) -> bool:
    """Say whether a process runs (one that ended and waits for its parent does not)."""
    return _start_time(pid) is not None


def _start_time(pid: int) -> str | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    # proc(5): state is field 3, start time is field 22; these begin with field 3.
    state, start_time = fields[0], fields[19]
    return None if state in "ZX" else start_time


def _record(testbed: Testbed, name: str) -> Path:
    return testbed.run / f"{name}.pid"
