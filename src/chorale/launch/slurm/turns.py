"""Tasks that one machine starts at the same moment start in turns, as many at a time as it has cores.

The tasks of an array begin together, and a start takes a good part of a second of a core. Where all of them share the
cores, each is late by the whole of it, all end together, and are late together again the next time. In turns the first
is not late at all; after one round the starts lie apart, each beside other tasks' work.

Only what every Python has loaded anyway is imported here: this runs before anything else of a task does.
"""

from __future__ import annotations

import os
import time

# A courtesy, nothing that correctness hangs on: whoever has waited so long starts out of turn.
_PATIENCE_S = 5.0
_POLL_S = 0.02


class Turn:
    """A place among those that start now on this machine, of this user's tasks; leaving the block gives it to another.

    Where places cannot be kept (another's folder, no lock there), nobody waits. A process that dies gives its place
    back with its open files.

    Args:
        folder: Where the places are; one for all tasks of a machine, not one to a job.
        places: How many may start at a time; the machine's cores if not given.
        patience_s: How long to wait at most, in seconds.
    """

    def __init__(self, folder: str = "", places: int | None = None, patience_s: float = _PATIENCE_S) -> None:
        self._folder = folder or f"/tmp/chorale-starts-{os.getuid()}"
        self._places = places or os.cpu_count() or 1
        self._patience_s = patience_s
        self._held: int | None = None

    def __enter__(self) -> bool:
        """Wait for a place, and say whether there was one."""
        until = time.monotonic() + self._patience_s
        try:
            self._open_folder()
            while not (taken := self._take()) and time.monotonic() < until:
                time.sleep(_POLL_S)
        except (OSError, ImportError):
            return False
        return taken

    def __exit__(self, *exception: object) -> None:
        """Give the place back."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _open_folder(self) -> None:
        try:
            os.mkdir(self._folder, mode=0o700)  # noqa: PTH102 - pathlib is what the others wait for
        except FileExistsError:
            # In a folder that all may write, somebody else may have been first.
            if os.lstat(self._folder).st_uid != os.getuid():
                raise PermissionError(self._folder) from None

    def _take(self) -> bool:
        import fcntl

        for place in range(self._places):
            # From another one each, or all would ask for the first.
            name = f"{self._folder}/{(os.getpid() + place) % self._places}"
            held = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(held)
                continue
            except OSError:
                os.close(held)
                raise
            self._held = held
            return True
        return False
