"""Tables that people write: CSV with a header, and what is wrong with one, by line."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from chorale.core.errors import InputError


def read_rows(path: Path, columns: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Return the rows of a CSV with the line each stands on, cells without spaces around.

    Args:
        path: UTF-8, with a header; a byte order mark, as spreadsheets write it, does no harm.
        columns: That must be there and filled.

    Raises:
        InputError: The file is missing, no text, or lacks a column or a cell.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            header = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = header
            found = [(reader.line_num, row) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a CSV file ({error})", "save it as comma separated values, UTF-8") from error
    for column in columns:
        if column not in header:
            raise InputError(
                f"{path}: has no column {column}", f"give the columns {', '.join(columns)}, separated by commas"
            )
    rows = []
    for number, row in found:
        clean = {name: (row[name] or "").strip() for name in header}
        for column in columns:
            if not clean[column]:
                raise InputError(f"{path}, line {number}: {column} is empty", "fill it in, or remove the line")
        rows.append((number, clean))
    return rows
