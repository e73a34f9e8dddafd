"""Colours of figures: distinguishable with every common kind of colour vision, on white and on near-black."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Palette:
    """Colours of one theme, as ``#rrggbb``.

    Attributes:
        ink: Text.
        faint: Axes and ticks.
        grid: Grid lines.
        series: One per series, in order.
    """

    ink: str
    faint: str
    grid: str
    series: Sequence[str]


# Series after Okabe and Ito (2008), in the order that keeps neighbours apart, lightened for the dark theme.
LIGHT = Palette("#1d2125", "#5d6670", "#e3e6ea", ("#0072b2", "#d55e00", "#008f68", "#b5548c", "#8a6d00", "#4a4f57"))
DARK = Palette("#e6e9ec", "#9aa4ae", "#2b3138", ("#5ab4f0", "#ff9550", "#35c99a", "#e691c4", "#e3c04b", "#b4bcc6"))

# What a figure is drawn in before it enters the page: no real colour, so that each can be replaced by name.
NAMED = Palette("#010101", "#010102", "#010103", tuple(f"#0102{number:02d}" for number in range(len(LIGHT.series))))


def css(palette: Palette) -> str:
    """Return the palette as declarations of CSS variables."""
    series = "".join(f"--series-{number}: {colour}; " for number, colour in enumerate(palette.series))
    return f"--ink: {palette.ink}; --faint: {palette.faint}; --grid: {palette.grid}; {series}"


def with_variables(svg: str) -> str:
    """Return a figure drawn in ``NAMED`` with each colour as the CSS variable of its name."""
    names = {NAMED.ink: "--ink", NAMED.faint: "--faint", NAMED.grid: "--grid"}
    names |= {colour: f"--series-{number}" for number, colour in enumerate(NAMED.series)}
    for colour, name in names.items():
        svg = svg.replace(colour, f"var({name})")
    return svg
