"""The identity teacher: a VGGNet that looks at one frame (**figure**)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from chorale.experiments.speech2video.networks.layers import Norm, normalisation
from chorale.experiments.speech2video.networks.shapes import FrameSize


class SeenIdentity(NamedTuple):
    """What the teacher makes of a frame.

    Attributes:
        levels: Maps after each of five levels, shallow to deep, each ``(batch, channels, height, width)``.
        features: nu*, ``(batch, n_features)``.
        logits: ``(batch, speakers)``.
    """

    levels: list[Tensor]
    features: Tensor
    logits: Tensor


class IdentityTeacher(nn.Module):
    """Five levels of 3 x 3 convolutions with ReLU, each ending in a pooling (Simonyan and Zisserman 2015).

    That a VGGNet sees one frame and that five of its levels are matched is the paper's (**figure**). Our **choices**:
    VGG-16's levels, as VGG-Face has them (Parkhi et al. 2015); no affine layers but the last, so that nu* is the mean
    over the deepest map's places; normalisation, without which such a network hardly learns from few faces. Below 5
    doublings the last levels do not pool.

    Attributes:
        n_features: Length of nu*: the channels of the deepest level.
        n_classes: Speakers.
        channels: Of each level.

    Args:
        size: Of a frame.
        speakers: Classes.
        convolutions: Of each level.
        widths: Channels of each level.
        norm: After each convolution; ``none`` is VGG's own.
    """

    def __init__(
        self,
        size: FrameSize,
        speakers: int,
        convolutions: Sequence[int] = (2, 2, 3, 3, 3),
        widths: Sequence[int] = (64, 128, 256, 512, 512),
        norm: Norm = "batch",
    ) -> None:
        super().__init__()
        self.stack = nn.ModuleList()
        inputs = (3, *widths[:-1])
        for level, (channels, width, count) in enumerate(zip(inputs, widths, convolutions, strict=True)):
            layers: list[nn.Module] = []
            for index in range(count):
                layer = nn.Conv2d(width if index else channels, width, 3, padding=1, bias=norm == "none")
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                layers += [layer, normalisation(norm, width), nn.ReLU()]
            if level < size.doublings:
                layers.append(nn.MaxPool2d(2))
            self.stack.append(nn.Sequential(*layers))
        self.output = nn.Linear(widths[-1], speakers)
        self.n_features, self.n_classes, self.channels = widths[-1], speakers, tuple(widths)

    def levels(self, frames: Tensor) -> list[Tensor]:
        """Map frames ``(batch, 3, height, width)`` in [-1, 1] to the five maps, shallow to deep."""
        maps: list[Tensor] = []
        for level in self.stack:
            maps.append(level(maps[-1] if maps else frames))
        return maps

    def features(self, frames: Tensor) -> Tensor:
        """Map the same to nu*, ``(batch, n_features)``."""
        return self.levels(frames)[-1].mean(dim=(2, 3))

    def forward(self, frames: Tensor) -> SeenIdentity:
        """Look at frames ``(batch, 3, height, width)`` in [-1, 1]."""
        levels = self.levels(frames)
        features = levels[-1].mean(dim=(2, 3))
        return SeenIdentity(levels, features, self.output(features))
