"""Critics: of a frame, and of an identity's deepest map (**figure**: D_fr and D_id; D_sync is the sync expert)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from chorale.experiments.speech2video.networks.layers import SLOPE, convolution, direction
from chorale.experiments.speech2video.networks.shapes import SMALLEST, FrameSize


class FrameCritic(nn.Module):
    """D_fr: how real a frame looks as one of this emotion and this person.

    That frames have a critic is the paper's (**figure**). Our **choices**, after the paper notes: five convolutions,
    each halving (below 5 doublings the last do not), to 4 x 3 places, where mu and nu join as maps that are the same
    everywhere; no normalisation, for the gradient penalty is a matter of each sample alone (Gulrajani et al. 2017,
    sec. 4), nor any of a batch.

    Args:
        size: Of a frame.
        emotion_features: Of mu.
        identity_features: Of nu.
        widths: Of the convolutions.
        condition: Channels of the joined maps.
        spectral: Whether all weights have a spectral norm of 1 (Miyato et al. 2018), for the hinge loss.
    """

    def __init__(
        self,
        size: FrameSize,
        emotion_features: int = 2048,
        identity_features: int = 512,
        widths: Sequence[int] = (64, 128, 256, 512, 512),
        condition: int = 128,
        spectral: bool = False,
    ) -> None:
        super().__init__()
        inputs = (3, *widths[:-1])
        self.convolutions = nn.ModuleList(
            convolution(channels, width, halves=level < size.doublings)
            for level, (channels, width) in enumerate(zip(inputs, widths, strict=True))
        )
        self.condition = nn.Linear(emotion_features + identity_features, condition)
        self.joined = nn.Conv2d(widths[-1] + condition, widths[-1], 3, padding=1)
        self.score = nn.Conv2d(widths[-1], 1, SMALLEST)
        if spectral:
            _bound(self)

    def forward(self, frames: Tensor, emotion: Tensor, identity: Tensor) -> Tensor:
        """Map frames ``(batch, 3, height, width)``, and mu and nu of each, to scores ``(batch,)``."""
        features = frames
        for layer in self.convolutions:
            features = F.leaky_relu(layer(features), SLOPE)
        known = self.condition(torch.cat([direction(emotion), direction(identity)], dim=1))
        everywhere = known[:, :, None, None].expand(-1, -1, *features.shape[2:])
        features = F.leaky_relu(self.joined(torch.cat([features, everywhere], dim=1)), SLOPE)
        scores: Tensor = self.score(features)
        return scores.flatten()


class IdentityCritic(nn.Module):
    """D_id: whether a deepest map is a face's, or matched to one (**figure**: an adversary at the deepest level).

    Two 3 x 3 convolutions and the mean over places of a 1 x 1 convolution: our **choice**.

    Args:
        channels: Of VGG's deepest level.
        width: Of the convolutions.
        spectral: As of :class:`FrameCritic`.
    """

    def __init__(self, channels: int = 512, width: int = 256, spectral: bool = False) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList([convolution(channels, width, False), convolution(width, width, False)])
        self.score = nn.Conv2d(width, 1, 1)
        if spectral:
            _bound(self)

    def forward(self, maps: Tensor) -> Tensor:
        """Map ``(batch, channels, height, width)`` to scores ``(batch,)``."""
        features = maps
        for layer in self.convolutions:
            features = F.leaky_relu(layer(features), SLOPE)
        scores: Tensor = self.score(features)
        return scores.mean(dim=(1, 2, 3))


def _bound(critic: nn.Module) -> None:
    for module in list(critic.modules()):
        if isinstance(module, nn.Conv2d | nn.Linear):
            spectral_norm(module)
