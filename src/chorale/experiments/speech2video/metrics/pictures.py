"""Frame against frame: peak signal-to-noise ratio and structural similarity."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SIGMA, _RADIUS = 1.5, 5  # Wang et al. 2004: 11 x 11 Gaussian weights.
_K1, _K2 = 0.01, 0.03


def as_floats(frames: NDArray[Any]) -> Floats:
    """Return frames as float64 in [0, 1], whatever they are kept as; differences of uint8 would wrap.

    Args:
        frames: uint8, or floats in [0, 1].

    Raises:
        ValueError: Another type, or floats beyond.
    """
    if frames.dtype == np.uint8:
        return frames.astype(np.float64) / 255.0
    if not np.issubdtype(frames.dtype, np.floating):
        raise ValueError(f"uint8 or floats were expected, got {frames.dtype}")
    if frames.size and not (frames.min() >= 0 and frames.max() <= 1):
        raise ValueError("floats between 0 and 1 were expected")
    return frames.astype(np.float64)


def psnr(frame: NDArray[Any], real: NDArray[Any]) -> float:
    """Return ``10 log10(1 / MSE)`` in dB, the mean square over all pixels and channels; infinite where equal.

    Of a video the mean over frames is shown, not the value of the mean square.

    Args:
        frame: ``(height, width, channels)``, uint8 or floats in [0, 1].
        real: Likewise.

    Raises:
        ValueError: Shapes differ, or see :func:`as_floats`.
    """
    first, second = _pair(frame, real)
    error = float(np.square(first - second).mean())
    return math.inf if error == 0 else -10 * math.log10(error)


def ssim(frame: NDArray[Any], real: NDArray[Any]) -> float:
    """Return the structural similarity (Wang et al. 2004, eq. 13), 1 where equal.

    Conventions, which figures of other toolkits may not share: Gaussian weights of 11 x 11 with sigma 1.5, population
    variances, K1 = 0.01, K2 = 0.03, a range of 1; the mean over the places where the whole window fits, and over the
    channels, of which each is taken by itself.

    Args:
        frame: ``(height, width, channels)``, uint8 or floats in [0, 1], at least 11 pixels high and wide.
        real: Likewise.

    Raises:
        ValueError: Shapes differ, frames are too small, or see :func:`as_floats`.
    """
    x, y = _pair(frame, real)
    if min(x.shape[:2]) < 2 * _RADIUS + 1:
        raise ValueError(f"at least {2 * _RADIUS + 1} pixels each way were expected, got {x.shape[0]} x {x.shape[1]}")
    mean_x, mean_y = _weighted(x), _weighted(y)
    variance_x, variance_y = _weighted(x * x) - mean_x**2, _weighted(y * y) - mean_y**2
    covariance = _weighted(x * y) - mean_x * mean_y
    c1, c2 = _K1**2, _K2**2
    alike = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return float((alike / ((mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2))).mean())


def _pair(frame: NDArray[Any], real: NDArray[Any]) -> tuple[Floats, Floats]:
    if frame.shape != real.shape or frame.ndim != 3:
        raise ValueError(f"two frames (height, width, channels) were expected, got {frame.shape} and {real.shape}")
    return as_floats(frame), as_floats(real)


def _weighted(values: Floats) -> Floats:
    """Return Gaussian means over the windows that fit, one dimension after the other."""
    weights = np.exp(-0.5 * (np.arange(-_RADIUS, _RADIUS + 1) / _SIGMA) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        values = np.lib.stride_tricks.sliding_window_view(values, len(weights), axis=axis) @ weights
    return values
