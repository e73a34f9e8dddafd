"""Axes of a plot: linear, logarithmic, or the normal deviate scale of DET curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.ticker import Locator

Scale = Literal["linear", "log", "probit"]

_PROBIT_TICKS = (1e-4, 1e-3, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999)
# Below this a logarithmic axis has too few round numbers, above the next too many.
_NARROW_DECADES, _WIDE_DECADES = 0.7, 2.5
_PROBIT_TICKS_PER_INCH = 2.2
_LINEAR_TICKS_PER_INCH = 1.3
_FEW = 10
_ROUND = (1, 2, 2.5, 5, 10)
_SMALL, _LARGE = 1e-4, 1e4
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def drawable(values: Sequence[float], scale: Scale) -> np.ndarray:
    """Return ``values`` as floats, with NaN where the scale has no place for them."""
    array = np.asarray(values, dtype=float)
    if scale == "log":
        good = np.isfinite(array) & (array > 0)
    elif scale == "probit":
        good = np.isfinite(array) & (array > 0) & (array < 1)
    else:
        good = np.isfinite(array)
    return np.where(good, array, np.nan)


def number_text(value: float) -> str:
    """Return a number as a tick shows it: ``0.05``, ``250``, ``12.5 M``, ``3e-05``."""
    size = abs(value)
    if size >= _LARGE:
        unit, prefix = next((unit, prefix) for unit, prefix in _PREFIXES if size >= unit)
        return f"{value / unit:.4g} {prefix}"
    if 0 < size < _SMALL:
        return f"{value:.2g}"
    return f"{value:.4g}"


def percent_text(value: float) -> str:
    """Return a probability as per cent: ``0.1 %``."""
    return f"{100 * value:.4g} %"


def set_scale(axes: Axes, which: Literal["x", "y"], scale: Scale, values: np.ndarray, width_in: float) -> None:
    """Give one axis of ``axes`` its scale and its ticks; call it after the data are drawn.

    Args:
        axes: What the data are drawn in.
        which: The axis.
        scale: ``probit`` is the inverse of the normal distribution function, after Martin et al., "The DET curve in
            assessment of detection task performance", Eurospeech 1997.
        values: What is drawn along it, (points,); NaN for gaps.
        width_in: Width of the figure, inches: a narrow one has room for fewer ticks.
    """
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter
    from scipy.stats import norm

    axis, change = (axes.xaxis, axes.set_xscale) if which == "x" else (axes.yaxis, axes.set_yscale)
    if not np.isfinite(values).any():
        return
    if scale == "probit":
        change("function", functions=(norm.ppf, norm.cdf))
        axis.set_major_locator(FixedLocator(_probit_ticks(norm.ppf(values), width_in)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: percent_text(value)))
        return
    if scale == "log":
        change("log")
        axis.set_major_locator(_log_ticks(values))
        axis.set_minor_formatter(NullFormatter())
    else:
        _set_linear_ticks(axis, which, values, width_in)
    axis.set_major_formatter(FuncFormatter(lambda value, _: number_text(value)))


def _set_linear_ticks(axis: Axis, which: Literal["x", "y"], values: np.ndarray, width_in: float) -> None:
    from matplotlib.ticker import MaxNLocator

    finite = values[np.isfinite(values)]
    # Half a layer or half a step is none.
    whole = bool((finite == np.round(finite)).all())
    if which == "x":
        axis.set_major_locator(MaxNLocator(max(3, int(_LINEAR_TICKS_PER_INCH * width_in)), integer=whole, steps=_ROUND))
    elif whole and np.ptp(finite) < _FEW:
        axis.set_major_locator(MaxNLocator(integer=True))


def _probit_ticks(deviates: np.ndarray, width_in: float) -> list[float]:
    from scipy.stats import norm

    gap = (np.nanmax(deviates) - np.nanmin(deviates)) / (_PROBIT_TICKS_PER_INCH * width_in)
    kept: list[float] = []
    for tick in _PROBIT_TICKS:
        # Round probabilities crowd together in the middle of the scale.
        if norm.ppf(tick) >= np.nanmin(deviates) - gap and (not kept or norm.ppf(tick) - norm.ppf(kept[-1]) >= gap):
            kept.append(tick)
    return kept


def _log_ticks(values: np.ndarray) -> Locator:
    from matplotlib.ticker import LogLocator, MaxNLocator

    decades = np.log10(np.nanmax(values) / np.nanmin(values))
    if decades < _NARROW_DECADES:
        return MaxNLocator(5)
    return LogLocator(10, subs=(1, 2, 5) if decades < _WIDE_DECADES else (1,))
