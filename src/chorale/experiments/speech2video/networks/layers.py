"""What several of the networks are made of."""

from __future__ import annotations

import math
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from chorale.ranks.batch_norm import GlobalBatchNorm2d

Norm = Literal["group", "batch", "none"]

SLOPE = 0.2
"""Of LeakyReLU below 0."""
_GROUPS = 4


def normalisation(kind: Norm, channels: int) -> nn.Module:
    """Return a normalisation of ``(batch, channels, height, width)``.

    Args:
        kind: ``group``: over a quarter of the channels and all places of one sample (Wu and He 2018; so few groups are
            our choice: what distinguishes channels of one group, such as a speaker's colours, outlives it); ``batch``:
            over the GLOBAL batch; ``none``: nothing.
        channels: How many.
    """
    if kind == "group":
        return nn.GroupNorm(math.gcd(_GROUPS, channels), channels)
    return GlobalBatchNorm2d(channels) if kind == "batch" else nn.Identity()


def direction(features: Tensor) -> Tensor:
    """Return features ``(batch, features)`` scaled to a mean square of 1.

    mu and nu are distilled by their direction alone (see
    :func:`~chorale.experiments.speech2video.losses.distillation.feature_distance`), so their length means nothing, and
    what is trained on a teacher's features may be given a student's.
    """
    return F.normalize(features.float(), dim=1).to(features.dtype) * math.sqrt(features.shape[1])


def of_frames(of_clips: Tensor, clips: Tensor | None) -> Tensor:
    """Return what each frame's clip has, ``(frames, ...)``, with gradients that are the same in every run.

    Args:
        of_clips: ``(clips, ...)``.
        clips: The clip of each frame, ``(frames,)``; None where every frame comes with its own.
    """
    if clips is None:
        return of_clips
    # An index's gradients are summed by a CPU's threads in no fixed order, and index_select's by a GPU's.
    return F.embedding(clips, of_clips.flatten(1)).view(-1, *of_clips.shape[1:])


def convolution(inputs: int, outputs: int, halves: bool) -> nn.Conv2d:
    """Return a convolution that keeps height and width (3 x 3), or halves both (4 x 4, every pixel seen as often)."""
    return nn.Conv2d(inputs, outputs, 4, 2, padding=1) if halves else nn.Conv2d(inputs, outputs, 3, padding=1)


def convolve_doubled(features: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return the 3 x 3 convolution of features doubled by the nearest pixel, at less than half the cost.

    Doubled pixels are equal in pairs, so of nine weights two or four meet the same pixel and may be added first: what
    is left is a transposed convolution of 4 x 4 with stride 2 (as in the code of Karras et al. 2018).

    Args:
        features: ``(batch, inputs, height, width)``.
        weight: ``(outputs, inputs, 3, 3)``, of a convolution with a border of zeros.
        bias: ``(outputs,)``.

    Returns:
        ``(batch, outputs, 2 * height, 2 * width)``.
    """
    wide = F.pad(weight, (1, 1, 1, 1))
    summed = wide[:, :, 1:, 1:] + wide[:, :, :-1, 1:] + wide[:, :, 1:, :-1] + wide[:, :, :-1, :-1]
    return F.conv_transpose2d(features, summed.flip(2, 3).transpose(0, 1), bias, stride=2, padding=1)
