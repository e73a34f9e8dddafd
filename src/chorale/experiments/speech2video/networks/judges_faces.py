"""Judges of faces that have no part in the training: what emotion is seen, and whose face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chorale.experiments.speech2video.networks.shapes import FrameSize

_KERNEL: Final = 7
_EXPANSION: Final = 4


class FaceJudge(nn.Module):
    """A ConvNeXt on single frames (Liu et al. 2022): 7 x 7 convolutions of each channel alone, layer normalisation.

    The paper has none: our **choice**, so that what is reported was judged by a network unlike those that the generator
    was trained against: neither squeeze-and-excitation nor VGG, and no batch normalisation. It ends at 8 x 6 places.

    Attributes:
        n_features: Length of an embedding.

    Args:
        size: Of a frame.
        classes: Emotions or speakers.
        widths: Of three stages; every stage but the first halves.
        blocks: Of each stage.
    """

    def __init__(
        self,
        size: FrameSize,
        classes: int,
        widths: Sequence[int] = (64, 128, 256),
        blocks: Sequence[int] = (2, 2, 4),
    ) -> None:
        super().__init__()
        # Two stages halve, and 8 x 6 places are left of 32 x 24.
        patch = 2 ** (size.doublings - 3)
        layers: list[nn.Module] = [nn.Conv2d(3, widths[0], patch, patch), _ChannelNorm(widths[0])]
        for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            if stage:
                layers += [_ChannelNorm(widths[stage - 1]), nn.Conv2d(widths[stage - 1], width, 2, 2)]
            layers += [_Block(width) for _ in range(count)]
        self.layers = nn.Sequential(*layers)
        self.norm = nn.LayerNorm(widths[-1])
        self.output = nn.Linear(widths[-1], classes)
        self.n_features = widths[-1]

    def forward(self, frames: Tensor) -> Tensor:
        """Map frames ``(batch, 3, height, width)`` in [-1, 1] to logits ``(batch, classes)``."""
        logits: Tensor = self.output(self.embed(frames))
        return logits

    def embed(self, frames: Tensor) -> Tensor:
        """Map the same to embeddings ``(batch, n_features)``, by which faces are compared."""
        embeddings: Tensor = self.norm(self.layers(frames).mean(dim=(2, 3)))
        return embeddings


class _ChannelNorm(nn.LayerNorm):
    def forward(self, features: Tensor) -> Tensor:
        """Normalise ``(batch, channels, height, width)`` over the channels of each place."""
        return super().forward(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(width, width, _KERNEL, padding=_KERNEL // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.expand, self.shrink = nn.Linear(width, _EXPANSION * width), nn.Linear(_EXPANSION * width, width)

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(batch, channels, height, width)`` to the same shape."""
        hidden = self.norm(self.spatial(features).permute(0, 2, 3, 1))
        return features + torch.movedim(self.shrink(F.gelu(self.expand(hidden))), 3, 1)
