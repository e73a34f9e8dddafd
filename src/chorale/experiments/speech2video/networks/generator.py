"""The generator: one frame from what is heard, how, and by whom (**figure**)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chorale.experiments.speech2video.networks.identity_branch import IdentityBranch
from chorale.experiments.speech2video.networks.layers import (
    SLOPE,
    Norm,
    convolve_doubled,
    direction,
    normalisation,
    of_frames,
)
from chorale.experiments.speech2video.networks.shapes import SMALLEST, FrameSize


class Generated(NamedTuple):
    """What the generator makes.

    Attributes:
        frames: ``(frames, 3, height, width)`` in [-1, 1].
        identity_maps: Of each clip, before blocks 1 to 5, each ``(clips, channels, height, width)``.
    """

    frames: Tensor
    identity_maps: list[Tensor]


class GrowingBlock(nn.Module):
    """Doubling by the nearest pixel, then twice a 3 x 3 convolution, normalisation and LeakyReLU.

    That the identity map joins before the block is the paper's (**figure**), that it joins by concatenation and what
    the block consists of our **choice** (the block is that of Karras et al. 2018, figure 2, with another norm).

    Args:
        inputs: Channels of the features.
        joining: Channels of the identity map.
        outputs: Channels.
        grows: Whether height and width double.
        norm: Which normalisation.
    """

    def __init__(self, inputs: int, joining: int, outputs: int, grows: bool, norm: Norm) -> None:
        super().__init__()
        self.joined = nn.Conv2d(inputs + joining, outputs, 3, padding=1)
        self.norm1 = normalisation(norm, outputs)
        self.convolution = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norm2 = normalisation(norm, outputs)
        self.inputs, self.grows = inputs, grows

    def forward(self, features: Tensor, identity: Tensor, clips: Tensor | None) -> Tensor:
        """Map ``(frames, inputs, h, w)`` and ``(clips, joining, h, w)`` to ``(frames, outputs, ...)``."""
        # A convolution of joined channels is the sum of one of each part, and the identity's is the same all clip long.
        own, theirs = self.joined.weight[:, : self.inputs], self.joined.weight[:, self.inputs :]
        convolve = convolve_doubled if self.grows else partial(F.conv2d, padding=1)
        known = convolve(identity, theirs, self.joined.bias)
        hidden = convolve(features, own) + of_frames(known, clips)
        hidden = F.leaky_relu(self.norm1(hidden), SLOPE)
        return F.leaky_relu(self.norm2(self.convolution(hidden)), SLOPE)


class Generator(nn.Module):
    """c_t, mu and the first identity map enter five growing blocks, then an image is made of the channels (**figure**).

    nu enters by the identity maps alone. Our **choices**: an affine layer brings c_t and mu to 4 x 3 places; widths;
    the last layer is a 1 x 1 convolution with tanh; options that the figure has not are ``noise`` and ``window``.

    Args:
        size: Of a frame; below 5 doublings the first blocks do not grow.
        hidden: Of a context.
        emotion_features: Of mu.
        identity_features: Of nu.
        widths: Channels after each block.
        identity_channels: Of the identity maps.
        noise: Dimensions of a frame's noise, for what speech does not tell, such as blinks; 0 for none.
        window: Contexts that a frame is given, itself in the middle; odd. Mouths move before they are heard, and 1, as
            in the figure, tells nothing of what comes.
        norm: Which normalisation.
    """

    def __init__(
        self,
        size: FrameSize,
        hidden: int = 256,
        emotion_features: int = 2048,
        identity_features: int = 512,
        widths: Sequence[int] = (512, 512, 256, 128, 64),
        identity_channels: Sequence[int] = (256, 256, 128, 64, 32),
        noise: int = 0,
        window: int = 1,
        norm: Norm = "group",
    ) -> None:
        super().__init__()
        places = SMALLEST[0] * SMALLEST[1]
        self.branch = IdentityBranch(size, identity_features, identity_channels, norm)
        self.heard = nn.Linear(window * hidden + noise, widths[0] * places)
        self.felt = nn.Linear(emotion_features, widths[0] * places, bias=False)
        inputs = (widths[0], *widths[:-1])
        each = zip(inputs, identity_channels, widths, size.grows, strict=True)
        self.blocks = nn.ModuleList(GrowingBlock(*sizes, norm=norm) for sizes in each)
        self.to_rgb = nn.Conv2d(widths[-1], 3, 1)
        self.noise, self.window = noise, window

    def forward(
        self,
        contexts: Tensor,
        emotion: Tensor,
        identity: Tensor,
        noise: Tensor | None = None,
        clips: Tensor | None = None,
    ) -> Generated:
        """Make frames; for the arguments see :meth:`frames`.

        ``identity`` is nu of each clip, ``(clips, identity_features)``.
        """
        maps = self.identity_maps(identity)
        return Generated(self.frames(contexts, emotion, maps, noise, clips), maps)

    def identity_maps(self, identity: Tensor) -> list[Tensor]:
        """Map nu ``(clips, identity_features)`` to the maps that join the blocks, the same for a clip's frames."""
        maps: list[Tensor] = self.branch(identity)
        return maps

    def frames(
        self,
        contexts: Tensor,
        emotion: Tensor,
        maps: Sequence[Tensor],
        noise: Tensor | None = None,
        clips: Tensor | None = None,
    ) -> Tensor:
        """Return frames ``(frames, 3, height, width)`` in [-1, 1].

        Args:
            contexts: Of each frame, ``(frames, window * hidden)``, see :func:`context_windows`.
            emotion: mu of each clip, ``(clips, emotion_features)``.
            maps: From :meth:`identity_maps`.
            noise: Of each frame, ``(frames, noise)``; keyed by the caller.
            clips: The clip of each frame, ``(frames,)``; None where every frame comes with its own mu and maps.

        Raises:
            ValueError: There is noise where none is wanted, or none where it is.
        """
        if (noise is None) != (self.noise == 0):
            raise ValueError(f"noise of {self.noise} dimensions was expected")
        heard = self.heard(contexts if noise is None else torch.cat([contexts, noise], dim=1))
        felt = self.felt(direction(emotion))
        start = heard + of_frames(felt, clips)
        features: Tensor = start.unflatten(1, (-1, *SMALLEST))
        for block, identity in zip(self.blocks, maps, strict=True):
            features = block(features, identity, clips)
        return torch.tanh(self.to_rgb(features))


def context_windows(contexts: Tensor, window: int) -> Tensor:
    """Return each frame's context with its neighbours', ``(batch, frames, window * hidden)``, earliest first.

    Beyond the ends, the first and the last context are repeated.

    Args:
        contexts: Of each frame, ``(batch, frames, hidden)``.
        window: Contexts for each frame; odd.

    Raises:
        ValueError: The window has no middle.
    """
    if window % 2 == 0:
        raise ValueError(f"an odd window was expected, not {window}")
    frames, beyond = contexts.shape[1], window // 2
    # Slices, since an index's gradients are summed by threads in no fixed order.
    ends = [each.expand(-1, beyond, -1) for each in (contexts[:, :1], contexts[:, -1:])]
    longer = torch.cat([ends[0], contexts, ends[1]], dim=1)
    return torch.cat([longer[:, first : first + frames] for first in range(window)], dim=2)
