"""The graph of a run's stages as SVG: columns from left to right, arrows from what is needed to what needs it."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from chorale.launch.graph import Node

_BOX_WIDTH, _BOX_HEIGHT = 190, 52
_COLUMN, _ROW, _MARGIN, _TITLE = 250, 76, 20, 40
# Text carries the state too: a colour alone would be lost in print and on those who do not see it.
_FILL = {
    "pending": "#f2f2f2",
    "running": "#cfe3f5",
    "done": "#d5ecd4",
    "failed": "#f6cfcb",
    "cancelled": "#ece0cc",
}
_STYLE = "text{font:13px sans-serif;fill:#1a1a1a} .small{font-size:11px;fill:#444} path{fill:none;stroke:#666}"
_ARROW = (
    '<marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    '<path d="M0 0L8 4L0 8z" style="fill:#666;stroke:none"/></marker>'
)


def as_svg(nodes: Sequence[Node], title: str) -> str:
    """Return the graph as one SVG document that stands by itself."""
    places = _places(nodes)
    columns = max((node.level for node in nodes), default=0) + 1
    rows = max((row for _, row in places.values()), default=0) + 1
    width = 2 * _MARGIN + (columns - 1) * _COLUMN + _BOX_WIDTH
    height = _TITLE + 2 * _MARGIN + (rows - 1) * _ROW + _BOX_HEIGHT
    by_name = {node.name: node for node in nodes}
    arrows = [_arrow(places[need], places[node.name]) for node in nodes for need in node.needs if need in by_name]
    boxes = [_box(node, *_corner(places[node.name])) for node in nodes]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img"><title>{escape(title)}</title><style>{_STYLE}</style><defs>{_ARROW}</defs>'
        f'<rect width="100%" height="100%" fill="white"/><text x="{_MARGIN}" y="{_MARGIN + 8}">{escape(title)}</text>'
    )
    return "\n".join([head, *arrows, *boxes, "</svg>"]) + "\n"


def _places(nodes: Sequence[Node]) -> dict[str, tuple[int, int]]:
    """Return column and row of each stage."""
    filled: dict[int, int] = {}
    places = {}
    for node in nodes:
        row = filled.get(node.level, 0)
        filled[node.level] = row + 1
        places[node.name] = (node.level, row)
    return places


def _corner(place: tuple[int, int]) -> tuple[int, int]:
    column, row = place
    return _MARGIN + column * _COLUMN, _TITLE + _MARGIN + row * _ROW


def _arrow(source: tuple[int, int], target: tuple[int, int]) -> str:
    (left, top), (right, bottom) = _corner(source), _corner(target)
    x, y, to_x, to_y = left + _BOX_WIDTH, top + _BOX_HEIGHT // 2, right, bottom + _BOX_HEIGHT // 2
    bend = max(30, (to_x - x) // 2)
    return f'<path marker-end="url(#arrow)" d="M{x} {y}C{x + bend} {y} {to_x - bend} {to_y} {to_x} {to_y}"/>'


def _box(node: Node, x: int, y: int) -> str:
    dashes = "" if node.is_declared else ' stroke-dasharray="5 4"'
    detail = f"{node.kind}, {node.count or node.state}" if node.is_declared else node.kind
    tip = f"<title>{escape(node.reason)}</title>" if node.reason else ""
    return (
        f'<g>{tip}<rect x="{x}" y="{y}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}" rx="6" stroke="#666"{dashes} '
        f'fill="{_FILL[node.state]}"/><text x="{x + 10}" y="{y + 21}">{escape(node.name)}</text>'
        f'<text class="small" x="{x + 10}" y="{y + 40}">{escape(detail)}</text></g>'
    )
