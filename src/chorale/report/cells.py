"""Cells of a table: how a number reads, how a column sorts, and the same as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chorale.runs.parts import Cell

_LARGE, _SMALL = 1e5, 1e-4


@dataclass(frozen=True)
class ShownCell:
    """A cell as the page shows it.

    Attributes:
        text: What is read.
        key: What the column sorts by; empty for an empty cell, which comes last.
        numeric: Whether it aligns and sorts as a number.
    """

    text: str
    key: str
    numeric: bool


def show_column(cells: Sequence[Cell]) -> list[ShownCell]:
    """Return a column as the page shows it: about four significant digits, as many decimals in each row.

    The exact number is the sorting key.
    """
    plain = [cell for cell in cells if isinstance(cell, float) and math.isfinite(cell)]
    ordinary = all(cell == 0 or _SMALL <= abs(cell) < _LARGE for cell in plain)
    # Numbers under one another are compared by eye, so their points should stand under one another too.
    decimals = max((len(f"{cell:.4g}".partition(".")[2]) for cell in plain), default=0) if ordinary else None
    return [_show(cell, decimals) for cell in cells]


def _show(cell: Cell, decimals: int | None) -> ShownCell:
    if cell is None:
        return ShownCell("", "", False)
    if isinstance(cell, str):
        return ShownCell(cell, cell, False)
    if math.isnan(cell):
        return ShownCell("NaN", "", True)
    if math.isinf(cell):
        return ShownCell("∞" if cell > 0 else "−∞", repr(cell), True)
    return ShownCell(_number(cell, decimals), repr(cell), True)


def _number(value: int | float, decimals: int | None) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    if decimals is not None:
        return f"{value:,.{decimals}f}"
    if abs(value) >= _LARGE:
        return f"{value:,.0f}"
    return f"{value:.1e}" if 0 < abs(value) < _SMALL else f"{value:.4g}"


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return rows as CSV, exact; None is an empty field."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return buffer.getvalue()
