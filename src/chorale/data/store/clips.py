"""Clips: several arrays of different kinds under one key, written whole or not at all, read by windows."""

from __future__ import annotations

import contextlib
import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue

from chorale.core.config import Config
from chorale.core.errors import InputError
from chorale.core.files import atomic_path, read_json, sha256, write_json
from chorale.data.store.hdf5 import h5py, sample_name

Array = npt.NDArray[Any]
CLIPS = "clips"
"""Group that holds one group per clip, named by its index; its attributes are the clip's key and facts."""


class ClipArray(Config):
    """Where an array lies in its file: contiguous and as numpy has it in memory."""

    dtype: str
    """As numpy writes it: ``|u1``, ``<f4``."""
    shape: tuple[int, ...]
    """The first dimension is time."""
    offset: int
    """Byte at which it begins."""

    @property
    def row_bytes(self) -> int:
        """Bytes of one step of the first dimension."""
        return math.prod(self.shape[1:]) * np.dtype(self.dtype).itemsize


class ClipEntry(Config):
    """A clip of a shard."""

    key: str
    """Its name, unique in its store."""
    arrays: dict[str, ClipArray]
    """By name, such as ``frames``, ``waveform``, ``landmarks``."""
    facts: dict[str, JsonValue]
    """Whatever else is known of it: speaker, emotion ..."""


class ClipShardRecord(Config):
    """What is known of a shard without opening it; lies beside it as ``<shard>.json``."""

    file: str
    """Name of the shard in its directory."""
    sha256: str
    """Checksum of the whole file."""
    bytes: int
    """Size of the whole file."""
    made_by: str
    """Identity of what the clips were made by and from."""
    clips: tuple[ClipEntry, ...]
    """In the order of writing; none where nothing was worth keeping."""


class ClipShardWriter:
    """Write clips into one shard, as a context manager.

    The file carries a temporary name until the block ends without an error; then it is renamed and its record written.
    Arrays are neither compressed nor cut into chunks, so that a window of frames is one read. A shard may stay empty.

    Args:
        path: Where the shard goes; ends in ``.h5``.
        made_by: Identity of what the clips are made by and from.
    """

    def __init__(self, path: Path, made_by: str) -> None:
        self.path = path
        self._made_by = made_by
        self._clips: dict[str, ClipEntry] = {}
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        clip_record_path(self.path).unlink(missing_ok=True)
        self._temporary = self._stack.enter_context(atomic_path(self.path))
        self._file = h5py.File(self._temporary, "w", libver="latest")
        self._group = self._file.create_group(CLIPS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        record = None
        try:
            self._file.close()
            if kind is None:
                record = self._record()
        except BaseException:
            self._stack.__exit__(*sys.exc_info())
            raise
        self._stack.__exit__(kind, error, traceback)
        if record is not None:
            write_json(clip_record_path(self.path), record.model_dump(mode="json"))

    def add(self, key: str, arrays: Mapping[str, Array], facts: Mapping[str, JsonValue]) -> None:
        """Add one clip.

        Args:
            key: Its name, new in this shard.
            arrays: At least one, none of them empty; time is the first dimension.
            facts: JSON-able.

        Raises:
            InputError: The key is taken, or an array is empty.
        """
        if key in self._clips:
            raise InputError(f"{self.path}: {key}: already written", "give every clip its own key")
        for name, array in arrays.items():
            if array.size == 0 or array.ndim == 0:
                raise InputError(f"{self.path}: {key}: {name} of shape {array.shape} holds nothing", "leave it out")
        group = self._group.create_group(sample_name(len(self._clips)))
        group.attrs["key"] = key
        group.attrs["facts"] = json.dumps(dict(facts), sort_keys=True, allow_nan=False)
        entries = {}
        for name, array in arrays.items():
            dtype = array.dtype.newbyteorder("<").str
            dataset = group.create_dataset(name, data=np.ascontiguousarray(array, dtype=dtype))
            offset = int(dataset.id.get_offset())
            entries[name] = ClipArray(dtype=dtype, shape=tuple(array.shape), offset=offset)
        self._clips[key] = ClipEntry(key=key, arrays=entries, facts=dict(facts))

    def _record(self) -> ClipShardRecord:
        return ClipShardRecord(
            file=self.path.name,
            sha256=sha256(self._temporary),
            bytes=self._temporary.stat().st_size,
            made_by=self._made_by,
            clips=tuple(self._clips.values()),
        )


def clip_shard_is_complete(path: Path, made_by: str) -> bool:
    """Say whether a whole shard made by and from this lies at ``path`` (by its record and its size)."""
    if not path.is_file() or not clip_record_path(path).is_file():
        return False
    record = read_clip_record(path)
    return record.bytes == path.stat().st_size and record.made_by == made_by


def read_clip_record(path: Path) -> ClipShardRecord:
    """Read the record of the shard at ``path``.

    Raises:
        InputError: It is missing or damaged.
    """
    record = clip_record_path(path)
    try:
        return ClipShardRecord.model_validate(read_json(record))
    except ValueError as error:
        raise InputError(f"{record}: not a shard's record", f"remove {path.name} and build it again") from error


def clip_record_path(path: Path) -> Path:
    """Return where the record of the shard at ``path`` lies."""
    return path.with_name(f"{path.name}.json")
