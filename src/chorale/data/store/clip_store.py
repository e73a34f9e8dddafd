"""Reading clips: their manifest, and windows of their arrays; safe under fork, spawn and DataLoader workers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from pydantic import JsonValue

from chorale.core.config import Config
from chorale.core.errors import InputError
from chorale.core.files import read_json, write_json
from chorale.data.store.clips import Array, ClipEntry, ClipShardRecord, read_clip_record
from chorale.data.store.hdf5 import SIGNATURE, shard_error
from chorale.data.store.manifest import MANIFEST
from chorale.data.store.shard import SHARD_SUFFIX
from chorale.data.store.wholeness import require_unchanged, require_whole


class ClipManifest(Config):
    """Everything about a store of clips that can be known without opening a shard."""

    made_by: str
    """Identity of what the clips were made by and from."""
    rebuild: str
    """Command line that makes a bad shard again; ``{shard}`` stands for the shard's path."""
    shards: tuple[ClipShardRecord, ...]
    """In order of file names."""

    def remedy(self, path: Path) -> str:
        """Return what to do about a bad shard."""
        return f"build it again with: {self.rebuild.replace('{shard}', str(path))}"


def write_clip_manifest(
    directory: Path, made_by: str, rebuild: str, shards: Sequence[str] | None = None
) -> ClipManifest:
    """Gather the shards' records into the manifest and write it.

    Args:
        directory: The store.
        made_by: Identity of what every shard must be made by and from.
        rebuild: Command line that makes a bad shard again; ``{shard}`` in it is replaced by the shard's path.
        shards: File names that must be there; None takes every ``*.h5`` in the directory.

    Raises:
        InputError: A shard or its record is missing, is of another identity, two shards share a key, or no shard holds
            a clip.
    """
    names = sorted(shards) if shards is not None else sorted(path.name for path in directory.glob(f"*{SHARD_SUFFIX}"))
    seen: dict[str, str] = {}
    records = []
    for name in names:
        path = directory / name
        remedy = f"build it again with: {rebuild.replace('{shard}', str(path))}"
        if not path.is_file():
            raise InputError(f"{path}: shard is missing", remedy)
        record = read_clip_record(path)
        if record.made_by != made_by:
            raise InputError(f"{path}: made by configuration {record.made_by}, expected {made_by}", remedy)
        for clip in record.clips:
            if clip.key in seen:
                raise InputError(f"{path}: {clip.key} stands in {seen[clip.key]} too", "give every clip to one shard")
            seen[clip.key] = name
        records.append(record)
    if not seen:
        raise InputError(f"{directory}: holds no clips", "the shards' reports say why each clip was dropped")
    manifest = ClipManifest(made_by=made_by, rebuild=rebuild, shards=tuple(records))
    write_json(directory / MANIFEST, manifest.model_dump(mode="json"))
    return manifest


class ClipStore:
    """Clips by key, read from the shards of a directory.

    Bytes are read at the places that were recorded on writing, without HDF5 and without a file position, so that open
    files may be shared with forked processes; they are left out of every pickle.

    Args:
        directory: Where the shards and the manifest lie.
        manifest: What the shards hold.
    """

    def __init__(self, directory: Path, manifest: ClipManifest) -> None:
        self.directory = directory
        self.manifest = manifest
        self._where = {clip.key: (record, clip) for record in manifest.shards for clip in record.clips}
        self._open: dict[str, BinaryIO] = {}

    @classmethod
    def open(cls, directory: Path, made_by: str | None = None) -> ClipStore:
        """Open a store after checking that every shard is there and has its size.

        Args:
            directory: The store.
            made_by: Identity of what its clips must have been made by and from; None takes any.

        Raises:
            InputError: The manifest is missing or damaged, of another identity, or a shard is missing or cut short.
        """
        try:
            manifest = ClipManifest.model_validate(read_json(directory / MANIFEST))
        except ValueError as error:
            raise InputError(f"{directory / MANIFEST}: not a manifest of clips", "build the store again") from error
        if made_by is not None and manifest.made_by != made_by:
            raise InputError(
                f"{directory}: made by configuration {manifest.made_by}, expected {made_by}",
                "build a store for this configuration in another directory",
            )
        require_whole(directory, manifest.shards, manifest.remedy)
        return cls(directory, manifest)

    @property
    def keys(self) -> Sequence[str]:
        """Every clip's key, in order of shards and of writing."""
        return tuple(self._where)

    def __len__(self) -> int:
        return len(self._where)

    def __contains__(self, key: object) -> bool:
        return key in self._where

    def shape(self, key: str, name: str) -> tuple[int, ...]:
        """Return the shape of one of a clip's arrays, without reading it.

        Raises:
            InputError: There is no such clip or array.
        """
        return self._find(key, name)[1].arrays[name].shape

    def facts(self, key: str) -> dict[str, JsonValue]:
        """Return what else is known of a clip.

        Raises:
            InputError: There is no such clip.
        """
        return dict(self._find(key)[1].facts)

    def read(self, key: str, name: str, start: int = 0, stop: int | None = None) -> Array:
        """Read a window of one of a clip's arrays: steps ``start`` to ``stop`` of its first dimension.

        Args:
            key: The clip.
            name: The array.
            start: First step.
            stop: Step after the last; None for the end.

        Raises:
            InputError: There is no such clip or array, or the shard is missing, damaged or cut short.
            ValueError: The window is not within the array, or is empty.
        """
        record, clip = self._find(key, name)
        entry = clip.arrays[name]
        stop = entry.shape[0] if stop is None else stop
        if not 0 <= start < stop <= entry.shape[0]:
            raise ValueError(f"{key}: {name}: steps {start} to {stop} of {entry.shape[0]} were asked for")
        array = np.empty((stop - start, *entry.shape[1:]), dtype=entry.dtype)
        if record.file not in self._open:
            self._open[record.file] = self._open_bytes(record)
        file, at = self._open[record.file], entry.offset + start * entry.row_bytes
        # One call moves at most 2 GiB.
        view, done = array.reshape(-1).view(np.uint8).data, 0
        while done < array.nbytes:
            count = os.preadv(file.fileno(), [view[done:]], at + done)
            if count == 0:
                path = self.directory / record.file
                raise InputError(f"{path}: shard is cut short", self.manifest.remedy(path))
            done += count
        return array

    def verify(self) -> None:
        """Read every shard whole and compare its SHA-256 with the manifest.

        Raises:
            InputError: A shard differs.
        """
        require_unchanged(self.directory, self.manifest.shards, self.manifest.remedy)

    def close(self) -> None:
        """Close whatever is open; the next read opens it again."""
        for file in self._open.values():
            file.close()
        self._open.clear()

    def __getstate__(self) -> dict[str, Any]:
        return {"directory": self.directory, "manifest": self.manifest, "_where": self._where}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open = {}

    def _find(self, key: str, name: str | None = None) -> tuple[ClipShardRecord, ClipEntry]:
        found = self._where.get(key)
        if found is None or (name is not None and name not in found[1].arrays):
            what = key if name is None or found is None else f"{key}: {name}"
            raise InputError(f"{self.directory}: {what}: no such clip or array", "build the store again")
        return found

    def _open_bytes(self, record: ClipShardRecord) -> BinaryIO:
        path = self.directory / record.file
        try:
            file = cast(BinaryIO, path.open("rb", buffering=0))
        except OSError as error:
            raise shard_error(path, error, self.manifest.remedy(path)) from error
        if file.read(len(SIGNATURE)) != SIGNATURE:
            file.close()
            raise InputError(f"{path}: shard is damaged (not an HDF5 file)", self.manifest.remedy(path))
        return file
