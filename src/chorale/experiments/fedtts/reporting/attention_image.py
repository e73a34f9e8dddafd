"""A picture of an attention: decoder steps to the right, symbols upwards; speech is a rising line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chorale.core import files

_SIZE_IN = (6.4, 4.0)
_DPI = 150
_MOST_LABELS = 48


def write_attention(path: Path, attention: NDArray[np.float32], symbols: Sequence[str]) -> None:
    """Write the picture as PNG.

    Args:
        path: Where.
        attention: Weights ``(steps, symbols)``.
        symbols: Names of the symbols.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=_SIZE_IN, dpi=_DPI, layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(attention.T, origin="lower", aspect="auto", interpolation="nearest", cmap="magma", vmin=0.0)
    every = -(-len(symbols) // _MOST_LABELS)
    axes.set_yticks(range(0, len(symbols), every), [symbols[place] for place in range(0, len(symbols), every)])
    axes.tick_params(axis="y", labelsize=6)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("decoder step")
    axes.set_ylabel("symbol")
    figure.colorbar(image, ax=axes, label="weight")
    with files.atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
