"""Virtual interpolation: images and labels between pairs of generated ones."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Interpolated(NamedTuple):
    """Virtual samples.

    Attributes:
        images: ``(batch, channels, height, width)``.
        labels: ``(batch, classes)``.
    """

    images: Tensor
    labels: Tensor


def interpolate(images: Tensor, labels: Tensor, shares: Tensor) -> Interpolated:
    """Return ``x~ = l x_i + (1 - l) x_j`` and ``y~ = l y_i + (1 - l) y_j`` for i = 2k, j = 2k + 1, and their mirror.

    Our choice, after mixup (Zhang et al. 2018, section 2), of the virtual samples and labels that the abstract of
    arXiv:2102.11638 speaks of. Generated images are independent draws, so neighbours pair as well as a permutation
    would, and no pair lies on two ranks whose slices begin at even indices. The mirror takes ``1 - l`` for l and stands
    at 2k + 1: as many samples come out as go in, each place from the pair that was there.

    Args:
        images: ``(batch, channels, height, width)``, of even length.
        labels: Logits or probabilities of the teacher, ``(batch, classes)``.
        shares: l of each pair, ``(batch / 2,)``, drawn from Beta(a, a).

    Raises:
        ValueError: The batch is odd, or there are not as many shares as pairs.
    """
    if len(images) % 2:
        raise ValueError(f"{len(images)} images do not make pairs")
    if len(labels) != len(images) or shares.shape != (len(images) // 2,):
        raise ValueError(f"{len(images)} images, {len(labels)} labels and shares {tuple(shares.shape)} do not fit")
    return Interpolated(_mixed(images, shares), _mixed(labels, shares))


def _mixed(values: Tensor, shares: Tensor) -> Tensor:
    weights = shares.to(values).view([-1] + [1] * (values.dim() - 1))
    first, second = values[0::2], values[1::2]
    pair = (weights * first + (1 - weights) * second, weights * second + (1 - weights) * first)
    return torch.stack(pair, dim=1).flatten(0, 1)
