"""Parts of a report: what an experiment shows, said as data; ``report/`` decides how it looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Cell = str | int | float | None


@dataclass(frozen=True)
class Text:
    """A paragraph.

    Attributes:
        title: Heading; empty for none.
        body: Plain text; blank lines separate paragraphs.
        role: ``caution`` sets off what a reader must know before trusting a figure.
    """

    title: str
    body: str
    role: Literal["plain", "caution"] = "plain"


@dataclass(frozen=True)
class Table:
    """Rows under named columns; also written as CSV.

    Attributes:
        title: Heading, and the stem of the CSV's name.
        columns: Names with their units.
        rows: One sequence of cells each, as long as ``columns``; None is an empty cell.
        note: One line below.
        highlight: Indices of rows to set off.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    highlight: Sequence[int] = ()


@dataclass(frozen=True)
class Series:
    """Points that belong together in a plot.

    Attributes:
        label: Name in the legend.
        x: Abscissae.
        y: Ordinates, as many; non-finite ones are gaps.
        style: ``line``, ``points``, ``steps`` (a value holds until the next) or ``stacked``: bars on top of those of
            the stacked series before it, which have the same abscissae.
        labels: What each point is, shown where the pointer is.
        group: Series of one group share a colour; by default each has its own.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    style: Literal["line", "points", "steps", "stacked"] = "line"
    labels: Sequence[str] = ()
    group: str = ""


@dataclass(frozen=True)
class Plot:
    """Series over common axes; written as SVG in the page, PNG and CSV beside it.

    Attributes:
        title: Heading, and the stem of the files' names.
        x_label: With unit.
        y_label: With unit.
        series: What is drawn.
        note: One line below.
        x_scale: ``probit`` is the normal deviate scale of DET curves.
        y_scale: Likewise.
    """

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    note: str = ""
    x_scale: Literal["linear", "log", "probit"] = "linear"
    y_scale: Literal["linear", "log", "probit"] = "linear"


@dataclass(frozen=True)
class Media:
    """Files to look at or to listen to, copied beside the page.

    Attributes:
        title: Heading.
        kind: What the files are.
        files: The files with a caption each.
        note: One line below.
    """

    title: str
    kind: Literal["image", "audio", "video"]
    files: Sequence[tuple[Path, str]] = field(default_factory=tuple)
    note: str = ""


Part = Text | Table | Plot | Media
