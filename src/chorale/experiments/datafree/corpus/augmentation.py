"""Crops and reflections, each a function of the step and the sample's place in the global batch."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from chorale.core.seeds import seed_for
from chorale.training.keyed import uniform

_PADDING = 4


def augment(
    images: Tensor, kind: Literal["none", "crop", "crop-flip"], seed: int, step: int, first_sample: int
) -> Tensor:
    """Return images that were moved by up to four pixels each way and, if so wished, reflected with chance 1/2.

    The usual augmentation of CIFAR (He et al. 2016, section 4.2). What moves in from outside is 0, the mean colour.

    Args:
        images: Normalised, ``(batch, channels, height, width)``.
        kind: Which.
        seed: Of the draws.
        step: Steps done before.
        first_sample: Index of the first image in the global batch.
    """
    if kind == "none":
        return images
    batch, _, height, width = images.shape
    draws = uniform(seed_for(seed, "augmentation", step), first_sample, torch.Size((batch, 3)), images.device)
    tops, lefts = ((draws[:, axis] * (2 * _PADDING + 1)).long() for axis in range(2))
    padded = F.pad(images, (_PADDING,) * 4)
    rows = tops[:, None] + torch.arange(height, device=images.device)
    columns = lefts[:, None] + torch.arange(width, device=images.device)
    if kind == "crop-flip":
        columns = torch.where(draws[:, 2:] < 0.5, columns, columns.flip(1))
    sample = torch.arange(batch, device=images.device)
    return padded[sample[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()
