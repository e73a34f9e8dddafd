"""Whether a generator still makes different images, and images of every class. All measures are our choice."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Figures(NamedTuple):
    """Of a batch of generated images.

    Attributes:
        deviation: Mean over pixels of the standard deviation over the batch; 0 where all images are equal.
        distance: Root mean square difference of a pixel between neighbours, the mean over pairs; about 1.4 times the
            deviation where images are independent.
        label_entropy: See :func:`label_entropy`.
    """

    deviation: float
    distance: float
    label_entropy: float


class Thresholds(NamedTuple):
    """Below which a generator has collapsed; in the images' own units, whose deviation is about 1.

    Attributes:
        deviation: Of pixels.
        label_entropy: Relative.
    """

    deviation: float
    label_entropy: float


@torch.no_grad()
def figures(images: Tensor, histogram: Tensor) -> Figures:
    """Return the figures of a batch.

    Args:
        images: ``(batch, channels, height, width)``, at least 2, independent draws.
        histogram: From :func:`label_histogram`, of these images or of more.

    Raises:
        ValueError: There is no pair of images.
    """
    if len(images) < 2:
        raise ValueError("one image has no diversity")
    pixels = images.double().flatten(1)
    pairs = len(pixels) // 2
    apart = (pixels[0 : 2 * pairs : 2] - pixels[1 : 2 * pairs : 2]).square().mean(dim=1).sqrt()
    return Figures(float(pixels.std(dim=0).mean()), float(apart.mean()), label_entropy(histogram))


def label_histogram(logits: Tensor) -> Tensor:
    """Return how often the teacher says each class, ``(classes,)``; of several ranks or batches to be added up.

    Args:
        logits: The teacher's, ``(batch, classes)``.
    """
    return torch.bincount(logits.argmax(dim=1), minlength=logits.shape[1])


def label_entropy(histogram: Tensor) -> float:
    """Return the entropy of the classes in bits, divided by ``log2(classes)``: 1 where all are equally frequent.

    Args:
        histogram: Counts ``(classes,)``, of at least 2 classes.

    Raises:
        ValueError: Nothing was counted.
    """
    total = int(histogram.sum())
    if not total:
        raise ValueError("no images were counted")
    shares = histogram[histogram > 0].double() / total
    # Of one class alone the sum is 0, and minus 0 would be shown as such.
    return abs(float((shares * shares.log2()).sum())) / math.log2(len(histogram))


def is_collapsed(found: Figures, thresholds: Thresholds) -> bool:
    """Say whether images are (nearly) equal, or (nearly) all of one class."""
    return found.deviation < thresholds.deviation or found.label_entropy < thresholds.label_entropy
