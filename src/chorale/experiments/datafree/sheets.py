"""Sheets of generated images, written while the training goes on."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from chorale.core import files
from chorale.experiments.datafree.corpus.data import Scale, denormalise

_GAP = 2
_ENLARGED_TO = 32


def sheet_file(folder: Path, step: int) -> Path:
    """Return where the sheet made after ``step`` rounds lies."""
    return folder / f"round-{step:06d}.png"


def write_sheet(folder: Path, step: int, images: Tensor, scale: Scale) -> Path:
    """Write images side by side as PNG, and return its path.

    Args:
        folder: Made if it is not there.
        step: Rounds done.
        images: Normalised, ``(n, channels, height, width)``, of 1 or 3 channels.
        scale: By which they are normalised.
    """
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    path = sheet_file(folder, step)
    with files.atomic_path(path) as temporary:
        Image.fromarray(contact_sheet(denormalise(images, scale))).save(temporary, format="PNG")
    return path


def contact_sheet(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return images ``(n, channels, height, width)`` side by side on white, ``(rows, columns, 3)``, about square."""
    count, channels, height, width = images.shape
    colours = np.repeat(images, 3, axis=1) if channels == 1 else images
    times = max(1, _ENLARGED_TO // height)
    tiles = colours.transpose(0, 2, 3, 1).repeat(times, axis=1).repeat(times, axis=2)
    across = math.ceil(math.sqrt(count))
    down = math.ceil(count / across)
    tall, wide = height * times + _GAP, width * times + _GAP
    sheet = np.full((down * tall + _GAP, across * wide + _GAP, 3), 255, dtype=np.uint8)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, across)
        top, left = row * tall + _GAP, column * wide + _GAP
        sheet[top : top + height * times, left : left + width * times] = tile
    return sheet
