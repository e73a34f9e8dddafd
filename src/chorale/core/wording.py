"""Effects, intervals and amounts as people read them. No heavy imports; works on JSON values alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]
NOT_REACHED = "not reached"


def number(value: float) -> str:
    """Return a number with four significant digits, never in powers of ten."""
    if abs(value) < 1e-4:
        return f"{value:.6f}".rstrip("0").rstrip(".") if abs(value) >= 5e-7 else "0"
    text = f"{value:.4g}"
    return f"{value:,.0f}" if "e+" in text else text


def effect_of(effect: Json) -> str:
    """Return an effect: a ratio, a signed difference, or who did not reach the target how often."""
    pairs, lost, lost_against = effect["pairs"], effect["censored"], effect["censored_against"]
    if effect["estimate"] is not None:
        return f"× {number(effect['estimate'])}" if effect["kind"] == "ratio" else signed(effect["estimate"])
    if not pairs:
        return "not measured of both"
    if lost or lost_against:
        reached, reached_against = pairs - lost, pairs - lost_against
        return f"{NOT_REACHED} by all: {reached} of {pairs} against {reached_against} of {pairs} seeds reach it"
    return "one pair of trainings" if pairs == 1 else "a figure is 0"


def interval_of(effect: Json) -> str:
    """Return an effect's interval; a dash if there is none."""
    if effect["low"] is None:
        return "–"
    form = number if effect["kind"] == "ratio" else signed
    return f"{form(effect['low'])} to {form(effect['high'])}"


def signed(value: float) -> str:
    """Return a number with its sign."""
    return f"{'-' if value < 0 else '+'}{number(abs(value))}"
