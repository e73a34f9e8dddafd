"""A multilayer perceptron: small enough that its boundaries in the plane can be drawn."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chorale.experiments.datafree.networks.shapes import ImageShape


class Mlp(nn.Module):
    """Affine layers with ReLU between them.

    Attributes:
        taps: The hidden layers, whose outputs are pre-activations.

    Args:
        shape: Of an image; a point of the plane has shape (2, 1, 1).
        classes: Logits.
        width: Of each hidden layer.
        layers: Hidden ones, at least 1.
    """

    def __init__(self, shape: ImageShape, classes: int, width: int, layers: int) -> None:
        super().__init__()
        widths = [shape.values, *[width] * layers]
        self.hidden = nn.ModuleList(nn.Linear(inputs, width) for inputs in widths[:-1])
        self.output = nn.Linear(width, classes)
        self.taps = tuple(f"hidden.{index}" for index in range(layers))

    def forward(self, images: Tensor) -> Tensor:
        """Map ``(batch, channels, height, width)`` to logits ``(batch, classes)``."""
        features = images.flatten(1)
        for layer in self.hidden:
            features = torch.relu(layer(features))
        logits: Tensor = self.output(features)
        return logits
