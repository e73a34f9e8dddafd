"""Reading a store: opened lazily in each process, safe under fork, spawn and DataLoader workers."""

from __future__ import annotations

import os
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from chorale.core.errors import InputError
from chorale.data.store.hdf5 import SAMPLES, SIGNATURE, open_shard, sample_name, shard_error
from chorale.data.store.manifest import Manifest, read_manifest
from chorale.data.store.shard import Array, ShardRecord
from chorale.data.store.wholeness import require_unchanged, require_whole


class Store:
    """Samples by key, read from the shards of a directory.

    No file is open until the first read, none is carried into another process: HDF5 handles that cross a fork return
    corrupt data, so they are closed before every fork and left out of every pickle.

    Args:
        directory: Where the shards and the manifest lie.
        manifest: What the shards hold.
    """

    def __init__(self, directory: Path, manifest: Manifest) -> None:
        self.directory = directory
        self.manifest = manifest
        self._where = {
            key: (shard, index) for shard, record in enumerate(manifest.shards) for index, key in enumerate(record.keys)
        }
        self._start()

    @classmethod
    def open(cls, directory: Path, feature_hash: str | None = None) -> Store:
        """Open a store after checking that every shard is there and has its size.

        Args:
            directory: The store.
            feature_hash: What its samples must have been made by; None takes any.

        Raises:
            InputError: The manifest is missing, the features are others, or a shard is missing or cut short.
        """
        manifest = read_manifest(directory)
        if feature_hash is not None and manifest.feature_hash != feature_hash:
            raise InputError(
                f"{directory}: made by feature config {manifest.feature_hash}, expected {feature_hash}",
                "build a store for this config in another directory",
            )
        require_whole(directory, manifest.shards, manifest.remedy)
        return cls(directory, manifest)

    @property
    def keys(self) -> Sequence[str]:
        """Every sample's key, in order of shards and of writing."""
        return tuple(self._where)

    def __len__(self) -> int:
        return len(self._where)

    def __contains__(self, key: object) -> bool:
        return key in self._where

    def shape(self, key: str) -> tuple[int, ...]:
        """Return a sample's shape from the manifest, without reading it.

        Raises:
            InputError: There is no such sample.
        """
        record, index = self._find(key)
        return record.shapes[index]

    def __getitem__(self, key: str) -> Array:
        record, index = self._find(key)
        array = np.empty(record.shapes[index], dtype=record.dtype)
        if record.compression is None:
            self._read_chunk(record, index, array)
        else:
            self._read_compressed(record, index, array)
        return array

    def verify(self) -> None:
        """Read every shard whole and compare its SHA-256 with the manifest.

        Raises:
            InputError: A shard differs.
        """
        require_unchanged(self.directory, self.manifest.shards, self.manifest.remedy)

    def close(self) -> None:
        """Close whatever is open; the next read opens it again."""
        for handle in self._open.values():
            handle.close()
        self._open.clear()

    def __getstate__(self) -> dict[str, Any]:
        return {"directory": self.directory, "manifest": self.manifest, "_where": self._where}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()

    def _start(self) -> None:
        self._open: dict[str, Any] = {}
        _stores.add(self)

    def _find(self, key: str) -> tuple[ShardRecord, int]:
        try:
            shard, index = self._where[key]
        except KeyError:
            raise InputError(f"{self.directory}: {key}: no such sample", "build the store again") from None
        return self.manifest.shards[shard], index

    def _read_chunk(self, record: ShardRecord, index: int, array: Array) -> None:
        # A sample is one chunk without filters: its bytes are the array. Where they begin was recorded on writing, so
        # that finding a sample costs no walk through HDF5's index (three quarters of the time of such a read).
        file = self._open.get(record.file)
        if file is None:
            file = self._open[record.file] = self._open_bytes(record)
        if os.preadv(file.fileno(), [array.data], record.offsets[index]) != array.nbytes:
            path = self.directory / record.file
            raise InputError(f"{path}: shard is cut short", self.manifest.remedy(path))

    def _open_bytes(self, record: ShardRecord) -> BinaryIO:
        path = self.directory / record.file
        try:
            file = cast(BinaryIO, path.open("rb", buffering=0))
        except OSError as error:
            raise shard_error(path, error, self.manifest.remedy(path)) from error
        if file.read(len(SIGNATURE)) != SIGNATURE:
            file.close()
            raise InputError(f"{path}: shard is damaged (not an HDF5 file)", self.manifest.remedy(path))
        return file

    def _read_compressed(self, record: ShardRecord, index: int, array: Array) -> None:
        path = self.directory / record.file
        if record.file not in self._open:
            self._open[record.file] = open_shard(path, self.manifest.remedy(path))
        try:
            dataset = self._open[record.file][SAMPLES][sample_name(index)]
            dataset.read_direct(array)
        except (OSError, KeyError, ValueError, RuntimeError) as error:
            raise shard_error(path, error, self.manifest.remedy(path)) from error


_stores: weakref.WeakSet[Store] = weakref.WeakSet()


def _close_all() -> None:
    for store in list(_stores):
        store.close()


os.register_at_fork(before=_close_all)
