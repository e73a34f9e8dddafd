"""The one place where h5py is imported, and what its errors mean."""

from __future__ import annotations

import errno
import os
from pathlib import Path

# Shards are written once, by one process, and renamed into place: locks protect nothing here, and many shared disks
# refuse them (errno 37 or 524). HDF5 reads the variable when it is loaded; whoever has set it is obeyed.
os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")

import h5py as h5py

from chorale.core.errors import InputError

SAMPLES = "samples"
"""Group that holds one dataset per sample, named by its index."""
KEYS = "keys"
"""Dataset with the samples' keys, in the order of their indices."""

SIGNATURE = b"\x89HDF\r\n\x1a\n"
"""First bytes of every HDF5 file."""

_NO_LOCKS = frozenset({errno.ENOLCK, 524})


def sample_name(index: int) -> bytes:
    """Return the name of a sample's dataset."""
    return b"%08d" % index


def open_shard(path: Path, remedy: str) -> h5py.File:
    """Open a shard for reading.

    Args:
        path: The shard.
        remedy: What mends a bad shard.

    Raises:
        InputError: It is missing, cut short, not HDF5, or the disk refuses locks.
    """
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise shard_error(path, error, remedy) from error


def shard_error(path: Path, error: Exception, remedy: str) -> InputError:
    """Return the error that names a shard which cannot be read, and what mends it."""
    number = getattr(error, "errno", None)
    text = " ".join(str(error).split())
    if number in _NO_LOCKS or any(f"errno = {code}," in text for code in _NO_LOCKS):
        return InputError(f"{path}: this disk refuses file locks", "set HDF5_USE_FILE_LOCKING=FALSE")
    if not path.exists():
        return InputError(f"{path}: shard is missing", remedy)
    return InputError(f"{path}: shard is damaged ({text})", remedy)
