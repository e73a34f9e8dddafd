"""The emotion teacher: a SENet that looks at every frame (**figure**)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from chorale.experiments.speech2video.networks.shapes import FrameSize
from chorale.experiments.speech2video.networks.squeeze_excitation import ResidualBlock
from chorale.ranks.batch_norm import GlobalBatchNorm2d

_STAGE_HALVINGS = 3


class SeenEmotion(NamedTuple):
    """What the teacher makes of frames.

    Attributes:
        features: mu*, ``(batch, n_features)``; of a clip, the mean over its frames (**figure**).
        logits: Of each frame: ``(batch, emotions)``, or of clips ``(batch, frames, emotions)``. Being linear in the
            features, their mean over frames is the logits of the mean feature.
    """

    features: Tensor
    logits: Tensor


class EmotionTeacher(nn.Module):
    """A squeeze-and-excitation ResNet on frames (Hu et al. 2018), averaged over the frames of a clip.

    That it is a SENet whose features are pooled over frames is the paper's (**figure**); depth and sizes are our
    **choice**, after Albanie et al. 2018: SE-ResNet-50, pooled features of 2048. The deepest map has 4 x 3 places at
    any size of frame: the stem halves twice at 128 x 96 as theirs does, once at 64 x 48, and not at 32 x 24.

    Attributes:
        n_features: Length of mu*.
        n_classes: Emotions.

    Args:
        size: Of a frame.
        emotions: Classes; 8 are FER+'s.
        blocks: Of each of four stages; every stage but the first halves.
        widths: Of each stage.
        bottleneck: Blocks of three convolutions, which return 4 times the width; otherwise of two.
        reduction: See :class:`~chorale.experiments.speech2video.networks.squeeze_excitation.SqueezeExcitation`.
    """

    def __init__(
        self,
        size: FrameSize,
        emotions: int = 8,
        blocks: Sequence[int] = (3, 4, 6, 3),
        widths: Sequence[int] = (64, 128, 256, 512),
        bottleneck: bool = True,
        reduction: int = 16,
    ) -> None:
        super().__init__()
        halvings = size.doublings - _STAGE_HALVINGS
        stem: list[nn.Module] = [
            nn.Conv2d(3, widths[0], 2 * halvings + 3, 2 if halvings else 1, padding=halvings + 1, bias=False),
            GlobalBatchNorm2d(widths[0]),
            nn.ReLU(),
        ]
        if halvings > 1:
            stem.append(nn.MaxPool2d(3, 2, padding=1))
        stages: list[nn.Module] = []
        channels = widths[0]
        for stage, (count, width) in enumerate(zip(blocks, widths, strict=True)):
            for block in range(count):
                halves = stage > 0 and block == 0
                stages.append(ResidualBlock(channels, width, 2 if halves else 1, bottleneck, reduction))
                channels = 4 * width if bottleneck else width
        self.layers = nn.Sequential(*stem, *stages)
        self.output = nn.Linear(channels, emotions)
        self.n_features, self.n_classes = channels, emotions

    def features(self, frames: Tensor) -> Tensor:
        """Map frames ``(..., 3, height, width)`` in [-1, 1] to features of each, ``(..., n_features)``."""
        maps: Tensor = self.layers(frames.flatten(0, -4))
        return maps.mean(dim=(2, 3)).view(*frames.shape[:-3], self.n_features)

    def forward(self, frames: Tensor) -> SeenEmotion:
        """Look at frames ``(batch, 3, height, width)``, or at clips ``(batch, frames, 3, height, width)``."""
        features = self.features(frames)
        return SeenEmotion(features.mean(dim=1) if frames.dim() == 5 else features, self.output(features))
