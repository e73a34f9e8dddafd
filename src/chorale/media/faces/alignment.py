"""Frames in which the face stands still: eyes and nose where a mean face has them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chorale.media.video.frames import Frame

Floats = NDArray[np.float64]

SMOOTHED_OVER = 7
"""Frames over whose mean a face is placed, after the alignment of Vougioukas et al. 2020."""

# What hardly moves in speaking: the corners of each eye, and below the nose. Points of iBUG's order that are averaged.
_STABLE = ((36, 39), (42, 45), (31, 32, 33, 34, 35))
# Where they are in our mean face: x and y in distances between the eyes, from the middle between them.
_MEAN_FACE = np.array([(-0.5, 0.0), (0.5, 0.0), (0.0, 0.72)])


class Crop(NamedTuple):
    """What of a face is kept.

    Attributes:
        height: Of the result, pixels.
        width: Likewise.
        eyes_apart: Distance between the eyes' middles, as a share of the width.
        eyes_at: How far below the top they are, as a share of the height.
    """

    height: int
    width: int
    eyes_apart: float = 0.40
    eyes_at: float = 0.38


class Placement(NamedTuple):
    """A similarity: ``result = scale * rotation @ source + shift``, as ``(x, y) -> (a x - b y + u, b x + a y + v)``."""

    a: float
    b: float
    u: float
    v: float

    @property
    def scale(self) -> float:
        """Pixels of the result for a pixel of the source."""
        return float(np.hypot(self.a, self.b))

    def apply(self, points: Floats) -> Floats:
        """Map points ``(..., 2)`` of the source into the result."""
        x, y = points[..., 0], points[..., 1]
        return np.stack([self.a * x - self.b * y + self.u, self.b * x + self.a * y + self.v], axis=-1)


def stable_points(points: Floats) -> Floats:
    """Return three points that hardly move in speaking, ``(..., 3, 2)``: both eyes' middles, the nose's base.

    Args:
        points: ``(..., 68, 2)``.
    """
    return np.stack([points[..., group, :].mean(axis=-2) for group in _STABLE], axis=-2)


def smoothed(stable: Floats, over: int = SMOOTHED_OVER) -> Floats:
    """Return the mean over a window of frames around each; at the ends over what is there of it.

    Args:
        stable: ``(frames, 3, 2)``.
        over: Frames, odd.
    """
    half = over // 2
    return np.stack([stable[max(0, at - half) : at + half + 1].mean(axis=0) for at in range(len(stable))])


def placement(stable: Floats, crop: Crop) -> Placement:
    """Return the similarity that brings three stable points nearest to the mean face's, by least squares.

    Args:
        stable: ``(3, 2)``.
        crop: Where the mean face is in the result.

    Raises:
        ValueError: All three are one point.
    """
    apart = crop.eyes_apart * crop.width
    target = _MEAN_FACE * apart + (crop.width / 2, crop.eyes_at * crop.height)
    source_mean, target_mean = stable.mean(axis=0), target.mean(axis=0)
    source, wanted = stable - source_mean, target - target_mean
    size = float(np.square(source).sum())
    if size == 0:
        raise ValueError("three points apart were expected")
    # As complex numbers: wanted = (a + ib) * source.
    a = float((source * wanted).sum()) / size
    b = float((source[:, 0] * wanted[:, 1] - source[:, 1] * wanted[:, 0]).sum()) / size
    u, v = target_mean - (a * source_mean[0] - b * source_mean[1], b * source_mean[0] + a * source_mean[1])
    return Placement(a, b, float(u), float(v))


def cropped(frame: Frame, placed: Placement, crop: Crop) -> Frame:
    """Return the frame as the placement has it, ``(crop.height, crop.width, 3)``; black where there is no source.

    Args:
        frame: ``(height, width, 3)`` uint8.
        placed: From :func:`placement`.
        crop: The result's size.
    """
    image = Image.fromarray(frame)
    # Bilinear weights see one pixel around: what is shrunk by more is averaged first, so that nothing flickers.
    factor = max(1, int(1 / placed.scale))
    if factor > 1:
        image = image.reduce(factor)
    # Pillow wants the way back, from the result's pixels to the source's, and has their centres at halves.
    a, b = placed.a / placed.scale**2, placed.b / placed.scale**2
    u, v = placed.u + 0.5, placed.v + 0.5
    back = (a, b, 0.5 - a * u - b * v, -b, a, 0.5 + b * u - a * v)
    way = tuple(one / factor for one in back)
    size = (crop.width, crop.height)
    return np.asarray(image.transform(size, Image.Transform.AFFINE, way, Image.Resampling.BILINEAR))
