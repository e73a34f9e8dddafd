"""Results of a run as a table: one row for each item, of a run that has not ended too; written as CSV or Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from chorale.core import files
from chorale.core.errors import InputError, MissingExtraError
from chorale.launch.plan import Plan

Cell = str | int | float | bool | None
Row = Mapping[str, Cell]
COLUMNS = ("stage", "index", "item", "state", "attempts", "host", "seconds", "failure", "message")
"""The columns of every table, in this order; those of the results follow."""


def collect(plan: Plan, stages: Iterable[str]) -> list[Row]:
    """Return one row for each item of ``stages``, with its result flattened into columns ``result.<key>``."""
    rows: list[Row] = []
    for name in stages:
        status = plan[name]
        for record, item in zip(status.records, status.stage.items, strict=True):
            own: dict[str, Cell] = {
                "stage": name,
                "index": record.index,
                "item": _cell(item),
                "state": record.state.value,
                "attempts": record.attempt,
                "host": record.host or None,
                "seconds": record.seconds,
                "failure": record.failure.value if record.failure is not None else None,
                "message": record.message or None,
            }
            rows.append({**own, **flatten(record.result, "result")})
    return rows


def flatten(value: Any, name: str) -> dict[str, Cell]:
    """Return a JSON value as columns: a mapping's keys joined by dots, lists as JSON text, nothing for None."""
    if isinstance(value, Mapping):
        return {key: cell for part, inner in value.items() for key, cell in flatten(inner, f"{name}.{part}").items()}
    return {} if value is None else {name: _cell(value)}


def columns_of(rows: Sequence[Row]) -> list[str]:
    """Return the names of all columns, those of the results in the order in which they first occur."""
    return list(dict.fromkeys([*COLUMNS, *(key for row in rows for key in row)]))


def as_csv(rows: Sequence[Row]) -> str:
    """Return a table as CSV, with a line of names; what a row does not have is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns_of(rows), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_table(path: Path, rows: Sequence[Row]) -> None:
    """Write a table to a file, atomically; its suffix says as what.

    Raises:
        InputError: The suffix is neither ``.csv`` nor ``.parquet``, or the directory cannot be written.
        MissingExtraError: Parquet is wanted, and pyarrow is not installed.
    """
    if path.suffix == ".csv":
        files.write_text(path, as_csv(rows))
    elif path.suffix == ".parquet":
        _write_parquet(path, rows)
    else:
        raise InputError(f"{path}: not a kind of table", "write to a file named .csv or .parquet")


def _write_parquet(path: Path, rows: Sequence[Row]) -> None:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError("pyarrow", "table") from error
    columns = {name: _one_type([row.get(name) for row in rows]) for name in columns_of(rows)}
    with files.atomic_path(path) as temporary:
        parquet.write_table(pyarrow.table(columns), temporary)


def _one_type(cells: Sequence[Cell]) -> Sequence[Cell]:
    """Return a column whose cells have one type: numbers stay numbers, a mixture becomes text."""
    kinds = {type(cell) for cell in cells if cell is not None}
    if len(kinds) <= 1:
        return cells
    if kinds == {int, float}:
        return [None if cell is None else float(cell) for cell in cells]
    return [cell if cell is None or isinstance(cell, str) else json.dumps(cell) for cell in cells]


def _cell(value: Any) -> Cell:
    return value if value is None or isinstance(value, str | int | float) else json.dumps(value, sort_keys=True)
