"""Images in: PNG, JPEG, BMP or WebP as one uint8 array with as many channels and pixels as are wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from chorale.core.errors import InputError

ImageArray = npt.NDArray[np.uint8]

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp"})
"""Names that corpus readers take for images."""

# Others are refused: Pillow hands some of them to programs outside (EPS to Ghostscript).
_FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
# Pillow turns more than 8 bits a channel into 8 by clipping, which makes most of such an image white.
_DEEP_MODES = ("I", "F")


def read_image(path: Path, channels: Literal[1, 3], size: int | None = None) -> ImageArray:
    """Read an image, upright as its EXIF data has it.

    Args:
        path: A file of one of the formats above; the content counts, not the name.
        channels: 1 for brightness (ITU-R 601-2 luma, which is Pillow's), 3 for red, green, blue. What is transparent
            is taken as it is stored.
        size: Pixels of both sides of the result: the image is scaled (bicubic, antialiased) so that its shorter side
            has as many, and what the longer side has more is cut off evenly at both ends. None leaves it as it is.

    Returns:
        ``(channels, height, width)``.

    Raises:
        InputError: The file is missing, damaged, of another format, or has more than 8 bits a channel.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with Image.open(path, formats=_FORMATS) as stored:
            stored.load()
            if stored.mode.startswith(_DEEP_MODES):
                raise InputError(f"{path}: more than 8 bits a channel", "save the image with 8 bits a channel")
            image = ImageOps.exif_transpose(stored).convert("L" if channels == 1 else "RGB")
    except InputError:
        raise
    except Exception as error:  # Pillow's decoders let through whatever a damaged file makes them meet.
        reason = str(error).replace(f" {str(path)!r}", "") or type(error).__name__
        raise InputError(f"{path}: not a readable image ({reason})", "replace or remove it") from error
    if size is not None:
        image = ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)
    pixels = np.array(image, dtype=np.uint8)
    return pixels[np.newaxis] if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))
