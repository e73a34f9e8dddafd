"""What tests on the testbed share: the command as a user types it, and waiting for something to happen."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

CHORALE = [sys.executable, "-m", "chorale"]
PATIENCE_S = 120


def chorale(
    *words: object, check: bool = True, patience_s: float = PATIENCE_S, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command and return what it printed."""
    return subprocess.run(
        [*CHORALE, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=patience_s,
        check=check,
        env={**os.environ, **environment},
    )


def wait_for(what: str, happened: Callable[[], Any]) -> Any:
    """Return what ``happened`` gives once that is something."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        result = happened()
        if result:
            return result
        time.sleep(0.2)
    raise AssertionError(f"{what} did not happen within {PATIENCE_S} s")
