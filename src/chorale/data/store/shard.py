"""Writing shards: one file per writer, one sample a chunk, in place only when whole."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from chorale.core.config import Config
from chorale.core.errors import InputError
from chorale.core.files import atomic_path, read_json, sha256, write_json
from chorale.data.store.hdf5 import KEYS, SAMPLES, h5py, sample_name

Array = npt.NDArray[Any]
SHARD_SUFFIX = ".h5"


class ShardRecord(Config):
    """What is known of a shard without opening it; lies beside it as ``<shard>.json``."""

    file: str
    """Name of the shard in its directory."""
    sha256: str
    """Checksum of the whole file."""
    bytes: int
    """Size of the whole file."""
    feature_hash: str
    """Identity of the config by which the samples were made."""
    compression: Literal["lzf"] | None
    """Filter on every chunk."""
    dtype: str
    """Of every sample, as numpy writes it: ``<f4``."""
    keys: tuple[str, ...]
    """Keys in the order of writing."""
    shapes: tuple[tuple[int, ...], ...]
    """Shape of each."""
    offsets: tuple[int, ...]
    """Byte at which each sample's chunk begins in the file."""


class ShardWriter:
    """Write samples into one shard, as a context manager.

    The file carries a temporary name until the block ends without an error; then it is renamed and its record written.

    Args:
        path: Where the shard goes; ends in ``.h5``.
        feature_hash: Identity of the config that the samples are made by.
        compression: ``lzf`` or none. Features are noise to a compressor: none reads fastest and is about as small.
    """

    def __init__(self, path: Path, feature_hash: str, compression: Literal["lzf"] | None = None) -> None:
        self.path = path
        self._feature_hash = feature_hash
        self._compression = compression
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._offsets: list[int] = []
        self._dtype = ""
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        _record_path(self.path).unlink(missing_ok=True)
        self._temporary = self._stack.enter_context(atomic_path(self.path))
        # The newest file format keeps thousands of links in an index instead of a list.
        self._file = h5py.File(self._temporary, "w", libver="latest")
        self._samples = self._file.create_group(SAMPLES)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        record = None
        try:
            if kind is None:
                self._finish()
            self._file.close()
            if kind is None:
                record = self._record()
        except BaseException:
            self._file.close()
            self._stack.__exit__(*sys.exc_info())
            raise
        self._stack.__exit__(kind, error, traceback)
        if record is not None:
            write_json(_record_path(self.path), record.model_dump(mode="json"))

    def add(self, key: str, array: Array) -> None:
        """Add one sample.

        Args:
            key: Its name, new in this shard.
            array: At least one value; every sample of a shard has the same dtype.

        Raises:
            InputError: The key is taken, or the array is empty or of another dtype.
        """
        dtype = np.asarray(array).dtype.newbyteorder("<").str
        if key in self._shapes:
            raise InputError(f"{self.path}: {key}: already written", "give every sample its own key")
        if array.size == 0 or array.ndim == 0:
            raise InputError(f"{self.path}: {key}: an array of shape {array.shape} holds no sample", "leave it out")
        self._dtype = self._dtype or dtype
        if dtype != self._dtype:
            raise InputError(f"{self.path}: {key}: dtype {dtype}, but the shard holds {self._dtype}", "convert it")
        dataset = self._samples.create_dataset(
            sample_name(len(self._shapes)),
            data=np.ascontiguousarray(array, dtype=dtype),
            chunks=array.shape,
            compression=self._compression,
        )
        self._offsets.append(int(dataset.id.get_chunk_info(0).byte_offset))
        self._shapes[key] = tuple(array.shape)

    def _finish(self) -> None:
        if not self._shapes:
            raise InputError(f"{self.path}: no sample was written", "give at least one")
        self._file.create_dataset(KEYS, data=list(self._shapes), dtype=h5py.string_dtype())

    def _record(self) -> ShardRecord:
        return ShardRecord(
            file=self.path.name,
            sha256=sha256(self._temporary),
            bytes=self._temporary.stat().st_size,
            feature_hash=self._feature_hash,
            compression=self._compression,
            dtype=self._dtype,
            keys=tuple(self._shapes),
            shapes=tuple(self._shapes.values()),
            offsets=tuple(self._offsets),
        )


def shard_is_complete(path: Path, feature_hash: str) -> bool:
    """Say whether a whole shard made by this feature config lies at ``path`` (by its record and its size)."""
    if not path.is_file() or not _record_path(path).is_file():
        return False
    record = read_record(path)
    return record.bytes == path.stat().st_size and record.feature_hash == feature_hash


def read_record(path: Path) -> ShardRecord:
    """Read the record of the shard at ``path``.

    Raises:
        InputError: It is missing or damaged.
    """
    record = _record_path(path)
    try:
        return ShardRecord.model_validate(read_json(record))
    except ValueError as error:
        raise InputError(f"{record}: not a shard's record", f"remove {path.name} and build it again") from error


def _record_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")
