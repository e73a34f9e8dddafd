"""What an image is."""

from __future__ import annotations

from typing import NamedTuple


class ImageShape(NamedTuple):
    """Size of one image; a point of the plane is an image of shape (2, 1, 1).

    Attributes:
        channels: 1 for grey, 3 for colour.
        height: In pixels.
        width: In pixels.
    """

    channels: int
    height: int
    width: int

    @property
    def values(self) -> int:
        """Numbers in one image."""
        return self.channels * self.height * self.width
