"""Residual networks for small images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from chorale.experiments.datafree.networks.norm import batch_norm
from chorale.experiments.datafree.networks.shapes import ImageShape


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut, ReLU after their sum (He et al. 2016, "Deep residual learning").

    Where the shape changes the shortcut is a 1 x 1 convolution with batch normalisation (their option B).

    Args:
        inputs: Channels.
        outputs: Channels.
        stride: Of the first convolution.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm1 = batch_norm(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = batch_norm(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), batch_norm(outputs))
        # A sum has no module whose output a hook could read.
        self.preactivation = nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(batch, inputs, height, width)`` to ``(batch, outputs, height / stride, width / stride)``."""
        hidden = self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(features)))))
        return torch.relu(self.preactivation(hidden + self.shortcut(features)))


class ResNet(nn.Module):
    """A ResNet with a 3 x 3 stem and no pooling before the last, for images of about 32 x 32 (He et al. 2016).

    With widths 64 to 512 it is what data-free distillation calls ResNet-18 and ResNet-34 on CIFAR (DFAD's and DAFL's
    code); the networks that He et al. have for CIFAR are narrower and have three stages.

    Attributes:
        taps: The sum before the last ReLU of each STAGE, as Heo et al. 2019 take the last of each group: stages of
            ResNet-34 and ResNet-18 correspond, their blocks do not. Every block's sum is a submodule, named
            ``stages.<stage>.<block>.preactivation``.

    Args:
        shape: Of an image; any height and width.
        classes: Logits.
        blocks: Of each stage; a stage halves height and width, the first does not.
        widths: Channels of each stage.
        stem_stride: 2 halves height and width at once, which costs a quarter of the time.
    """

    def __init__(
        self, shape: ImageShape, classes: int, blocks: Sequence[int], widths: Sequence[int], stem_stride: int = 1
    ) -> None:
        super().__init__()
        self.stem = nn.Conv2d(shape.channels, widths[0], 3, stem_stride, padding=1, bias=False)
        self.norm = batch_norm(widths[0])
        inputs, strides = [widths[0], *widths[:-1]], [1] + [2] * (len(widths) - 1)
        sizes = zip(inputs, widths, blocks, strides, strict=True)
        self.stages = nn.Sequential(*(_stage(*each) for each in sizes))
        self.output = nn.Linear(widths[-1], classes)
        self.taps = tuple(f"stages.{stage}.{count - 1}.preactivation" for stage, count in enumerate(blocks))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Map ``(batch, channels, height, width)`` to logits ``(batch, classes)``."""
        features: Tensor = self.stages(torch.relu(self.norm(self.stem(images))))
        logits: Tensor = self.output(features.mean(dim=(2, 3)))
        return logits


def _stage(inputs: int, outputs: int, blocks: int, stride: int) -> nn.Sequential:
    further = (BasicBlock(outputs, outputs, 1) for _ in range(blocks - 1))
    return nn.Sequential(BasicBlock(inputs, outputs, stride), *further)
