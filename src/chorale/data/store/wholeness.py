"""Whether the files that a manifest names are those that were written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from chorale.core.errors import InputError
from chorale.core.files import sha256
from chorale.data.store.hdf5 import shard_error


class Written(Protocol):
    """What a record says of a file."""

    @property
    def file(self) -> str:
        """Its name."""

    @property
    def bytes(self) -> int:
        """Its size."""

    @property
    def sha256(self) -> str:
        """Its checksum."""


def require_whole(directory: Path, shards: Sequence[Written], remedy: Callable[[Path], str]) -> None:
    """Check that every shard is there and has its size, without reading any.

    Args:
        directory: Of the store.
        shards: Their records.
        remedy: What to do about a bad one.

    Raises:
        InputError: One is missing or cut short.
    """
    for record in shards:
        path = directory / record.file
        found = path.stat().st_size if path.is_file() else None
        if found is None:
            raise InputError(f"{path}: shard is missing", remedy(path))
        if found != record.bytes:
            raise InputError(f"{path}: shard has {found} of {record.bytes} bytes", remedy(path))


def require_unchanged(directory: Path, shards: Sequence[Written], remedy: Callable[[Path], str]) -> None:
    """Read every shard whole and compare its SHA-256 with the record; arguments as of :func:`require_whole`.

    Raises:
        InputError: One differs, or cannot be read.
    """
    for record in shards:
        path = directory / record.file
        try:
            found = sha256(path)
        except OSError as error:
            raise shard_error(path, error, remedy(path)) from error
        if found != record.sha256:
            raise InputError(f"{path}: shard is damaged (SHA-256 differs)", remedy(path))
