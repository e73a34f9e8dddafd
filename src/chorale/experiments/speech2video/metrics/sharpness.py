"""Cumulative probability of blur detection (Narvekar and Karam 2011): how sharp a frame is, without a reference."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chorale.experiments.speech2video.metrics.pictures import as_floats

BLOCK = 64
"""Height and width of a block in pixels."""

_EDGE_SHARE = 0.002
_BETA = 3.6
_JUST_NOTICEABLE = (5.0, 3.0)  # Widths in pixels, at contrasts of at most 50 of 255, and above.
_LOW_CONTRAST = 50
_DETECTED = 0.63
_LUMA = np.array([0.299, 0.587, 0.114])

Floats = NDArray[np.float64]


def cpbd(frame: NDArray[Any]) -> float | None:
    """Return the share of edges at which blur is not noticed; 1 is sharp, 0 blurred.

    Blocks of 64 x 64 of which more than 0.2 % are edges count; an edge's width w is held against the just noticeable
    one of its block's contrast, and blur is noticed where ``1 - exp(-(w / w_jnb)^3.6)`` exceeds 0.63, in steps of a
    hundredth as in the authors' code. Edges are vertical ones (Sobel, four times the mean squared strength, thinned);
    the authors find the blocks that count by Canny edges, we by the same Sobel ones.

    Args:
        frame: ``(height, width, 3)``, uint8 or floats in [0, 1].

    Returns:
        None where no block has edges, as in frames of fewer than 64 pixels.
    """
    grey = np.rint(255 * (as_floats(frame) @ _LUMA))
    edges = _vertical_edges(grey)
    seen, found = 0, 0
    for top in range(0, grey.shape[0] - BLOCK + 1, BLOCK):
        for left in range(0, grey.shape[1] - BLOCK + 1, BLOCK):
            here = np.s_[top : top + BLOCK, left : left + BLOCK]
            if edges[here].sum() <= _EDGE_SHARE * BLOCK**2:
                continue
            contrast = grey[here].max() - grey[here].min()
            noticeable = _JUST_NOTICEABLE[int(contrast > _LOW_CONTRAST)]
            rows, columns = np.nonzero(edges[here])
            widths = [_width(grey[top + row], left + int(column)) for row, column in zip(rows, columns, strict=True)]
            blur = 1 - np.exp(-((np.array([width for width in widths if width]) / noticeable) ** _BETA))
            found += int((np.round(blur, 2) <= _DETECTED).sum())
            seen += len(blur)
    return found / seen if seen else None


def _vertical_edges(grey: Floats) -> NDArray[np.bool_]:
    """Return where brightness changes most from left to right."""
    padded = np.pad(grey, 1, mode="edge")
    smooth = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    strength = ((smooth[:, 2:] - smooth[:, :-2]) / 8) ** 2
    sides = np.pad(strength, ((0, 0), (1, 1)), constant_values=np.inf)
    # On a slope of even strength the first of its pixels counts.
    highest = (strength > sides[:, :-2]) & (strength >= sides[:, 2:])
    return np.asarray(highest & (strength > 4 * strength.mean()))


def _width(row: Floats, column: int) -> int:
    """Return the pixels from the edge's lower end to its upper one (Marziliano et al. 2002)."""
    sign = 1 if row[column + 1] > row[column - 1] else -1
    left, right = column, column
    while left > 0 and sign * (row[left] - row[left - 1]) > 0:
        left -= 1
    while right < len(row) - 1 and sign * (row[right + 1] - row[right]) > 0:
        right += 1
    return right - left
