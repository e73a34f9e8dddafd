"""One command at a time may start, stop or change a testbed."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from chorale.core.errors import InputError
from chorale.core.files import require_writable
from chorale.launch.testbed.layout import Testbed


@contextlib.contextmanager
def exclusive(testbed: Testbed) -> Iterator[None]:
    """Hold the testbed's lock; it is given back when the block or the process ends, however that happens.

    Raises:
        InputError: Another process holds it, or the directory cannot be written or holds other things.
    """
    require_writable(testbed.directory)
    path = testbed.directory / "testbed.lock"
    # Folders as common as bin and run are removed in it, so it must be the testbed's own.
    if not path.exists() and any(testbed.directory.iterdir()):
        raise InputError(f"{testbed.directory}: holds files that are not a testbed's", "name a new or empty directory")
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = path.read_text().strip()
            raise InputError(
                f"{testbed.directory}: the testbed is being started or stopped by process {owner}", "wait for it"
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
