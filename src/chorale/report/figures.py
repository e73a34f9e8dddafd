"""Draw a plot with matplotlib: as SVG that follows the page's theme, and as PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chorale.report.axes import drawable, set_scale
from chorale.report.palette import LIGHT, NAMED, Palette
from chorale.report.thinning import thin
from chorale.runs.parts import Plot, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_POINTS = 2000
"""More points of one series than this are thinned in the figure; the CSV beside it holds them all."""
MAX_BARS = 500
"""Likewise of stacked series, each of whose bars is an outline with four corners."""
WIDE_IN = (7.6, 3.9)
NARROW_IN = (3.9, 3.7)
_SQUARE_IN = (5.2, 4.9)
_FONT_PT = 9.0
_PNG_DPI = 200
_MARKERS = ("o", "s", "^", "D", "v", "P")
_DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": _FONT_PT,
    # A dollar sign in a label is a dollar sign.
    "text.parse_math": False,
}


def draw_svg(plot: Plot, key: str, narrow: bool = False) -> str:
    """Return ``plot`` as a complete SVG file in the colours of ``palette.NAMED``.

    Args:
        plot: What to draw.
        key: Distinguishes the ids in it from those of other figures.
        narrow: For a screen about 390 px wide.
    """
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({**_SETTINGS, "svg.hashsalt": key}):
        figure = _draw(plot, NAMED, _size(plot, narrow))
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def write_png(plot: Plot, path: Path) -> None:
    """Write ``plot`` to ``path`` in the light theme, on white."""
    import matplotlib

    with matplotlib.rc_context(_SETTINGS):
        figure = _draw(plot, LIGHT, _size(plot, narrow=False))
        figure.savefig(path, format="png", dpi=_PNG_DPI, facecolor="white", metadata={"Software": None})


def _size(plot: Plot, narrow: bool) -> tuple[float, float]:
    if narrow:
        return NARROW_IN
    # The two axes of a DET curve are the same kind of quantity.
    return _SQUARE_IN if plot.x_scale == plot.y_scale == "probit" else WIDE_IN


def _draw(plot: Plot, palette: Palette, size: tuple[float, float]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    drawn = [_draw_series(axes, plot, number, palette) for number in range(len(plot.series))]
    x, y = (np.concatenate([pair[side] for pair in drawn] or [np.empty(0)]) for side in (0, 1))
    if plot.y_scale == "linear" and any(series.style == "stacked" for series in plot.series):
        # A stack's height is read from nothing, not from whatever the axis begins with.
        axes.set_ylim(bottom=0.0)
    set_scale(axes, "x", plot.x_scale, x, size[0])
    set_scale(axes, "y", plot.y_scale, y, size[0])
    axes.set_xlabel(plot.x_label, color=palette.ink)
    axes.set_ylabel(plot.y_label, color=palette.ink)
    axes.grid(True, which="major", color=palette.grid, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", color=palette.faint, labelcolor=palette.faint, length=3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(palette.faint)
    if len(plot.series) > 1:
        columns = max(1, int(size[0] // 1.9))
        figure.legend(loc="outside upper left", ncols=columns, frameon=False, labelcolor=palette.ink)
    return figure


def _draw_series(axes: Axes, plot: Plot, number: int, palette: Palette) -> tuple[np.ndarray, np.ndarray]:
    series = plot.series[number]
    kept = drawn_points(plot, series)
    x, y = drawable(series.x, plot.x_scale)[kept], drawable(series.y, plot.y_scale)[kept]
    groups = list(dict.fromkeys(other.group or other.label for other in plot.series))
    colour = palette.series[groups.index(series.group or series.label) % len(palette.series)]
    if series.style == "points":
        marker = _MARKERS[number % len(_MARKERS)]
        (line,) = axes.plot(x, y, marker, color=colour, markersize=5, markeredgewidth=0, alpha=0.8, label=series.label)
        line.set_gid(points_id(number))
    elif series.style == "stacked":
        below, top, edges = _stack(plot, number)[kept], _stack(plot, number + 1)[kept], _edges(series, kept)
        # One outline for all bars: as many shapes would make the page heavy, and gaps between them all that is seen.
        low, high = (np.append(heights, heights[-1:]) for heights in (below, top))
        axes.fill_between(edges, low, high, step="post", color=colour, linewidth=0, label=series.label)
        return x, top
    elif series.style == "steps":
        axes.plot(x, y, color=colour, linewidth=1.8, drawstyle="steps-post", label=series.label)
    else:
        # Lines differ in their dashes as well: colour alone is not seen by everyone, nor printed.
        axes.plot(x, y, color=colour, linewidth=1.8, linestyle=_DASHES[number % len(_DASHES)], label=series.label)
    return x, y


def _stack(plot: Plot, number: int) -> np.ndarray:
    """Return the heights that the stacked series before series ``number`` reach together; gaps have no height."""
    before = [np.asarray(series.y, dtype=float) for series in plot.series[:number] if series.style == "stacked"]
    if not before:
        return np.zeros(len(plot.series[number].y))
    heights: np.ndarray = np.where(np.isfinite(before), before, 0.0).sum(axis=0)
    return heights


def _edges(series: Series, kept: Sequence[int]) -> np.ndarray:
    """Return where the bars of the ``kept`` points begin, and where the last one ends."""
    x = np.asarray(series.x, dtype=float)
    half = float(np.diff(x).min()) / 2 if len(x) > 1 else 0.5
    return np.append(x[kept] - half, x[kept][-1:] + half)


def drawn_points(plot: Plot, series: Series) -> list[int]:
    """Return the positions of the points of ``series`` that the figure shows; loose points have no gaps among them.

    Those of stacked series are the same for all, or else their bars would not stand on one another.
    """
    if series.style == "stacked":
        return thin(_stack(plot, len(plot.series)).tolist(), MAX_BARS)
    x, y = drawable(series.x, plot.x_scale), drawable(series.y, plot.y_scale)
    kept = thin(y.tolist(), MAX_POINTS)
    if series.style == "points":
        return [index for index in kept if np.isfinite(x[index]) and np.isfinite(y[index])]
    return kept


def points_id(number: int) -> str:
    """Return the id of the SVG group that holds the loose points of series ``number``."""
    return f"points-{number}"
