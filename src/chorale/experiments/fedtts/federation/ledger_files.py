"""The ledger as a file: exact for checkpoints and messages, CSV or Parquet for everybody else."""

from __future__ import annotations

import csv
import io
import json
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chorale.core import files
from chorale.core.errors import InputError, MissingExtraError, WorkError
from chorale.experiments.fedtts.federation.ledger import COLUMNS, Entry, Ledger
from chorale.runs.checkpoints import newest_complete
from chorale.runs.directory import Run

FILE_NAME = "ledger.npz"
"""In every checkpoint of a federation, and at the end among the run's artifacts."""


def dumps(ledger: Ledger) -> NDArray[np.uint8]:
    """Return a ledger as bytes, to be sent or kept; equal ledgers, built in the same order, give equal bytes."""
    file = io.BytesIO()
    patterns = json.dumps(ledger.patterns, separators=(",", ":")).encode()
    np.savez_compressed(file, messages=ledger.messages, patterns=np.frombuffer(patterns, np.uint8))
    return np.frombuffer(file.getvalue(), np.uint8)


def loads(buffer: NDArray[np.uint8], source: str = "a ledger") -> Ledger:
    """Return the ledger that ``dumps`` has made ``buffer`` of.

    Args:
        buffer: The bytes.
        source: For the error.

    Raises:
        WorkError: They are damaged.
    """
    try:
        with np.load(io.BytesIO(buffer.tobytes()), allow_pickle=False) as arrays:
            messages, text = arrays["messages"], arrays["patterns"].tobytes()
        patterns = [tuple(Entry(*entry) for entry in entries) for entries in json.loads(text)]
        return Ledger.restored(messages, patterns)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise WorkError(f"{source}: damaged ({error})") from error


def save(ledger: Ledger, path: Path) -> None:
    """Write a ledger atomically."""
    with files.atomic_path(path) as temporary:
        temporary.write_bytes(dumps(ledger).tobytes())


def load(path: Path) -> Ledger:
    """Read a ledger.

    Raises:
        InputError: There is no such file.
        WorkError: It is damaged.
    """
    try:
        return loads(np.fromfile(path, np.uint8), str(path))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or 'cannot be read'}") from error


def find(run: Run) -> Path:
    """Return the newest ledger of a run, also of one that has not ended.

    Raises:
        InputError: There is none yet.
    """
    final = run.artifacts / FILE_NAME
    if final.is_file():
        return final
    saved = [newest_complete(directory) for directory in sorted(run.checkpoints.glob("*/*"))]
    found = [checkpoint.directory / FILE_NAME for checkpoint in saved if checkpoint is not None]
    found = [path for path in found if path.is_file()]
    if not found:
        raise InputError(f"{run.name}: has no ledger yet", "it comes with a federation's first checkpoint")
    return max(found, key=lambda path: path.stat().st_mtime)


def write_csv(ledger: Ledger, path: Path) -> None:
    """Write all rows as CSV, atomically, in their canonical order."""
    with files.atomic_path(path) as temporary, temporary.open("w", encoding="ascii", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for table in ledger.tables():
            writer.writerows(zip(*(table[name].tolist() for name in COLUMNS), strict=True))


def write_parquet(ledger: Ledger, path: Path) -> None:
    """Write all rows as Parquet, atomically, in their canonical order.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError("pyarrow", "table") from error
    schema = pyarrow.schema(
        [
            *((name, pyarrow.int32()) for name in ("round", "client", "rank")),
            *((name, pyarrow.string()) for name in ("direction", "group", "kind")),
            *((name, pyarrow.int64()) for name in COLUMNS[6:]),
        ]
    )
    with files.atomic_path(path) as temporary, parquet.ParquetWriter(temporary, schema) as writer:
        for table in ledger.tables():
            writer.write_table(pyarrow.table({name: table[name] for name in COLUMNS}, schema=schema))
