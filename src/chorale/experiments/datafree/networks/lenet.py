"""LeNet-5, for images of the size of MNIST's."""

from __future__ import annotations

from typing import ClassVar, Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chorale.core.errors import InputError
from chorale.experiments.datafree.networks.shapes import ImageShape

WIDTHS: Final = (6, 16, 120, 84)
"""Channels of the three convolutions and width of the layer after them (LeCun et al. 1998, section II.B)."""
HALF_WIDTHS: Final = (3, 8, 60, 42)
_KERNEL = 5
_SIZE = 32
_PADDED_SIZE = 28


class LeNet5(nn.Module):
    """LeNet-5 (LeCun et al. 1998) with ReLU, max-pooling and an affine output, as data-free distillation has it.

    Images of 28 x 28 pixels are padded with zeros to the 32 x 32 of the original.

    Attributes:
        taps: The convolutions, whose outputs are pre-activations.

    Args:
        shape: Of an image: 28 x 28 or 32 x 32 pixels.
        classes: Logits.
        widths: Channels of the convolutions and width of the hidden layer.

    Raises:
        InputError: The image has another size.
    """

    taps: ClassVar[tuple[str, ...]] = ("conv1", "conv2", "conv3")

    def __init__(self, shape: ImageShape, classes: int, widths: tuple[int, int, int, int] = WIDTHS) -> None:
        super().__init__()
        if shape.height != shape.width or shape.height not in (_PADDED_SIZE, _SIZE):
            raise InputError(
                f"LeNet-5 takes images of 28 x 28 or 32 x 32 pixels, not {shape.height} x {shape.width}",
                "choose another network, such as resnet8",
            )
        first, second, third, hidden = widths
        self.conv1 = nn.Conv2d(shape.channels, first, _KERNEL, padding=(_SIZE - shape.height) // 2)
        self.conv2 = nn.Conv2d(first, second, _KERNEL)
        self.conv3 = nn.Conv2d(second, third, _KERNEL)
        self.hidden = nn.Linear(third, hidden)
        self.output = nn.Linear(hidden, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Map ``(batch, channels, height, width)`` to logits ``(batch, classes)``."""
        features = F.max_pool2d(torch.relu(self.conv1(images)), 2)
        features = F.max_pool2d(torch.relu(self.conv2(features)), 2)
        features = torch.relu(self.conv3(features)).flatten(1)
        logits: Tensor = self.output(torch.relu(self.hidden(features)))
        return logits
