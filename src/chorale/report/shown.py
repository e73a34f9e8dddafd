"""Turn each part of a report into what the page's template needs, and write the files that stand beside the page."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chorale.core import files
from chorale.core.errors import WorkError
from chorale.report.cells import csv_text, show_column
from chorale.report.figures import write_png
from chorale.report.inline_svg import inline_svg
from chorale.runs.parts import Cell, Media, Part, Plot, Table, Text

MAX_ROWS = 1000
"""Rows of a table that the page shows; its CSV has them all."""


@dataclass(frozen=True)
class Shown:
    """A part, ready for the template.

    Attributes:
        kind: ``text``, ``table``, ``plot`` or ``media``.
        title: Heading.
        slug: Its id in the page, and the stem of its files.
        note: One line below.
        links: Name and relative address of the files beside the page.
        content: What the kind's template needs.
    """

    kind: str
    title: str
    slug: str
    note: str
    links: list[tuple[str, str]]
    content: dict[str, Any]


class Slugs:
    """Gives each title a file name of its own."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, title: str) -> str:
        """Return ``title`` in small letters, digits and hyphens, numbered if it is taken."""
        stem = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "part"
        slug, number = stem, 1
        while slug in self._taken:
            number += 1
            slug = f"{stem}-{number}"
        self._taken.add(slug)
        return slug


def show_part(part: Part, slug: str, folder: Path) -> Shown:
    """Return ``part`` ready for the template, its files written into ``folder``.

    Raises:
        WorkError: The part contradicts itself: a row as long as no header, x and y of different lengths, a file that
            is not there; stacked series that do not fit each other.
    """
    if isinstance(part, Text):
        paragraphs = [" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", part.body) if paragraph.strip()]
        return Shown("text", part.title, slug, "", [], {"paragraphs": paragraphs, "role": part.role})
    if isinstance(part, Table):
        return show_table(part, slug, folder)
    if isinstance(part, Plot):
        return _show_plot(part, slug, folder)
    return _show_media(part, slug, folder)


def show_table(table: Table, slug: str, folder: Path) -> Shown:
    """Return a table ready for the template, its CSV written into ``folder``.

    Raises:
        WorkError: A row is longer or shorter than the header.
    """
    for number, row in enumerate(table.rows):
        if len(row) != len(table.columns):
            raise WorkError(f"table {table.title!r}: row {number} has {len(row)} cells, not {len(table.columns)}")
    files.write_text(folder / f"{slug}.csv", csv_text(table.columns, table.rows))
    columns = [show_column([row[n] for row in table.rows[:MAX_ROWS]]) for n in range(len(table.columns))]
    numeric = [all(cell.numeric or not cell.text for cell in column) for column in columns]
    cut = f"The first {MAX_ROWS:,} of {len(table.rows):,} rows; the CSV has them all." if table.rows[MAX_ROWS:] else ""
    content = {
        "columns": list(zip(table.columns, numeric, strict=True)),
        "rows": list(zip(*columns, strict=True)),
        "highlight": set(table.highlight),
    }
    note = " ".join(text for text in (table.note, cut) if text)
    return Shown("table", table.title, slug, note, [("CSV", f"{slug}.csv")], content)


def _show_plot(plot: Plot, slug: str, folder: Path) -> Shown:
    for series in plot.series:
        if len(series.x) != len(series.y) or (series.labels and len(series.labels) != len(series.x)):
            raise WorkError(f"plot {plot.title!r}: x, y and labels of series {series.label!r} differ in length")
    stacked = [series for series in plot.series if series.style == "stacked"]
    for series in stacked:
        if list(series.x) != list(stacked[0].x) or list(series.x) != sorted(set(series.x)):
            raise WorkError(
                f"plot {plot.title!r}: x of stacked series {series.label!r} is not the others', or not rising"
            )
    files.write_text(folder / f"{slug}.csv", csv_text(("series", plot.x_label, plot.y_label, "label"), _rows(plot)))
    with files.atomic_path(folder / f"{slug}.png") as temporary:
        write_png(plot, temporary)
    content = {"wide": inline_svg(plot, f"{slug}-wide"), "narrow": inline_svg(plot, f"{slug}-narrow", narrow=True)}
    links = [("PNG", f"{slug}.png"), ("CSV", f"{slug}.csv")]
    return Shown("plot", plot.title, slug, plot.note, links, content)


def _rows(plot: Plot) -> Iterator[tuple[Cell, ...]]:
    for series in plot.series:
        labels = series.labels or [""] * len(series.x)
        for x, y, label in zip(series.x, series.y, labels, strict=True):
            yield series.label, x, y, label


def _show_media(media: Media, slug: str, folder: Path) -> Shown:
    shown = []
    for number, (source, caption) in enumerate(media.files, start=1):
        if not source.is_file():
            raise WorkError(f"{source}: no such file, wanted for {media.title!r}")
        name = f"{slug}-{number}{source.suffix.lower()}"
        with files.atomic_path(folder / name) as temporary:
            shutil.copyfile(source, temporary)
        shown.append({"address": name, "caption": caption})
    return Shown("media", media.title, slug, media.note, [], {"kind": media.kind, "files": shown})
