"""The identity branch: from nu to maps that join the generator, and how they are matched with a face's (**figure**)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from chorale.experiments.speech2video.networks.layers import SLOPE, Norm, direction, normalisation
from chorale.experiments.speech2video.networks.shapes import SMALLEST, FrameSize


class IdentityBranch(nn.Module):
    """nu becomes five maps of growing size, each made of the one before (**figure**).

    Layers and channels are our **choice**: an affine layer to 4 x 3 places, then for each further map a 3 x 3
    convolution, after doubling by the nearest pixel where the maps grow; normalisation and LeakyReLU.

    Args:
        size: Of a frame.
        identity_features: Of nu.
        channels: Of each map, small to large.
        norm: Of each map.
    """

    def __init__(
        self,
        size: FrameSize,
        identity_features: int = 512,
        channels: Sequence[int] = (256, 256, 128, 64, 32),
        norm: Norm = "group",
    ) -> None:
        super().__init__()
        self.first = nn.Linear(identity_features, channels[0] * SMALLEST[0] * SMALLEST[1])
        pairs = itertools.pairwise(channels)
        self.convolutions = nn.ModuleList(nn.Conv2d(inputs, outputs, 3, padding=1) for inputs, outputs in pairs)
        self.norms = nn.ModuleList(normalisation(norm, each) for each in channels)
        self.sizes = size.maps

    def forward(self, identity: Tensor) -> list[Tensor]:
        """Map nu ``(batch, identity_features)`` to the maps before blocks 1 to 5, each ``(batch, channels, h, w)``."""
        start: Tensor = self.first(direction(identity)).unflatten(1, (-1, *SMALLEST))
        maps = [F.leaky_relu(self.norms[0](start), SLOPE)]
        for layer, norm, size in zip(self.convolutions, self.norms[1:], self.sizes[1:], strict=True):
            grown = maps[-1] if maps[-1].shape[2:] == size else F.interpolate(maps[-1], size=size)
            maps.append(F.leaky_relu(norm(layer(grown)), SLOPE))
        return maps


class IdentityMatching(nn.Module):
    """A 1 x 1 convolution of each identity map to the channels of a VGG level (**figure**); needed in training alone.

    Args:
        channels: Of the identity maps, before blocks 1 to 5.
        level_channels: Of VGG's levels, shallow to deep.
    """

    def __init__(
        self,
        channels: Sequence[int] = (256, 256, 128, 64, 32),
        level_channels: Sequence[int] = (64, 128, 256, 512, 512),
    ) -> None:
        super().__init__()
        pairs = zip(channels, reversed(level_channels), strict=True)
        self.convolutions = nn.ModuleList(nn.Conv2d(inputs, outputs, 1) for inputs, outputs in pairs)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Map the identity maps to guesses of VGG's levels, in the levels' order: the LAST map comes first."""
        guesses = [layer(each) for layer, each in zip(self.convolutions, maps, strict=True)]
        return guesses[::-1]
