"""A sign of life: the modification time of a file, renewed every few seconds by a thread."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

HEARTBEAT_S = 5.0
"""Seconds between heartbeats."""
STALE_S = 60.0
"""A heartbeat older than this belongs to the dead: hosts' clocks differ and shared disks cache, but by less."""


@contextlib.contextmanager
def beating(path: Path, every_s: float = HEARTBEAT_S) -> Iterator[None]:
    """Renew the modification time of ``path`` while the block runs."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(every_s):
            # The disk may be away for a moment; the next beat tries again.
            with contextlib.suppress(OSError):
                os.utime(path)

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
