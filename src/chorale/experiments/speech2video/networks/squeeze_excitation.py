"""Residual blocks whose channels are weighted by what the whole picture shows."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chorale.ranks.batch_norm import GlobalBatchNorm2d

_FEWEST = 4


class SqueezeExcitation(nn.Module):
    """``x_c sigmoid(W2 relu(W1 mean(x)))_c`` (Hu et al. 2018, equations 2 to 4).

    Args:
        channels: Of x.
        reduction: Channels for each hidden one; 16 in the paper. At least 4 hidden ones are kept (our choice).
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(_FEWEST, channels // reduction)
        self.squeeze, self.excite = nn.Linear(channels, hidden), nn.Linear(hidden, channels)

    def forward(self, features: Tensor) -> Tensor:
        """Weight the channels of ``(batch, channels, height, width)``."""
        weights = torch.sigmoid(self.excite(torch.relu(self.squeeze(features.mean(dim=(2, 3))))))
        return features * weights[:, :, None, None]


class ResidualBlock(nn.Module):
    """``relu(x + SE(F(x)))``, F a bottleneck or two 3 x 3 convolutions (Hu et al. 2018, figure 3; He et al. 2016).

    Batch normalisation is that of the GLOBAL batch. A bottleneck halves in its 3 x 3 convolution.

    Args:
        inputs: Channels.
        width: Channels inside; a bottleneck returns 4 times as many, the other as many.
        stride: 1 or 2.
        bottleneck: Which F.
        reduction: See :class:`SqueezeExcitation`.
    """

    def __init__(self, inputs: int, width: int, stride: int, bottleneck: bool, reduction: int = 16) -> None:
        super().__init__()
        self.outputs = outputs = 4 * width if bottleneck else width
        # Kernel, stride and channels of each convolution.
        layers = (
            [(1, 1, width), (3, stride, width), (1, 1, outputs)] if bottleneck else [(3, stride, width), (3, 1, width)]
        )
        modules: list[nn.Module] = []
        channels = inputs
        for kernel, step, wanted in layers:
            modules += [*_normalised(channels, wanted, kernel, step), nn.ReLU()]
            channels = wanted
        self.layers = nn.Sequential(*modules[:-1], SqueezeExcitation(outputs, reduction))
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(*_normalised(inputs, outputs, 1, stride))

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(batch, inputs, height, width)`` to ``(batch, outputs, height / stride, width / stride)``."""
        return torch.relu(self.layers(features) + self.shortcut(features))


def _normalised(inputs: int, outputs: int, kernel: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return [convolution, GlobalBatchNorm2d(outputs)]
