"""Put a figure into the page: it takes the page's colours and says what each point is."""

from __future__ import annotations

import html
import re

from chorale.report.axes import number_text
from chorale.report.figures import WIDE_IN, draw_svg, drawn_points, points_id
from chorale.report.palette import with_variables
from chorale.runs.parts import Plot

_OPENING = re.compile(r"<svg[^>]*>")
_SIZE = re.compile(r' (?:width|height)="[^"]*"')
_WIDTH = re.compile(r' width="([0-9.]+)pt"')
_REM_PER_PT = 52 / (72 * WIDE_IN[0])
_MARK = re.compile(r"(<use [^>]*?)/>")
_GROUP_ID = re.compile(r'<g id="[^"]*"')


def inline_svg(plot: Plot, key: str, narrow: bool = False) -> str:
    """Return ``plot`` as an ``<svg>`` element for the page.

    Args:
        plot: What to draw.
        key: Distinguishes the ids in it from those of other figures in the page.
        narrow: For a screen about 390 px wide.
    """
    svg = draw_svg(plot, key, narrow)
    svg = svg[svg.index("<svg") :]
    for number, series in enumerate(plot.series):
        if series.style == "points" and series.labels:
            titles = [
                f"{series.labels[index]} ({number_text(series.x[index])}, {number_text(series.y[index])})"
                for index in drawn_points(plot, series)
            ]
            svg = _with_titles(svg, points_id(number), titles)
    # Ids of groups repeat from figure to figure and nothing refers to them.
    svg = _GROUP_ID.sub("<g", with_variables(svg))
    opening = _OPENING.search(svg)
    assert opening is not None
    label = html.escape(f"{plot.title}: {plot.y_label} against {plot.x_label}", quote=True)
    width = _WIDTH.search(opening.group())
    assert width is not None
    # As wide as it was drawn for, or narrower, so that letters in all figures have one size.
    style = f"max-width: {float(width.group(1)) * _REM_PER_PT:.1f}rem"
    added = f'<svg role="img" aria-label="{label}" style="{style}"'
    element = _SIZE.sub("", opening.group()).replace("<svg", added, 1)
    return element + svg[opening.end() :]


def _with_titles(svg: str, group: str, titles: list[str]) -> str:
    start = svg.find(f'<g id="{group}"')
    if start < 0:
        return svg
    following = svg.find('<g id="', start + 1)
    stop = following if following > 0 else len(svg)
    waiting = iter(titles)

    def titled(mark: re.Match[str]) -> str:
        title = next(waiting, None)
        return mark.group() if title is None else f"{mark.group(1)}><title>{html.escape(title)}</title></use>"

    return svg[:start] + _MARK.sub(titled, svg[start:stop]) + svg[stop:]
