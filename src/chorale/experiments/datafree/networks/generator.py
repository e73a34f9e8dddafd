"""Networks that make images from noise."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chorale.core.errors import InputError
from chorale.experiments.datafree.networks.norm import batch_norm
from chorale.experiments.datafree.networks.shapes import ImageShape

_SCALE_UP = 4
_SLOPE = 0.2


class DfadGenerator(nn.Module):
    """The generator of DFAD for small images (Fang et al. 2019, "Data-free adversarial distillation", their code).

    The last batch normalisation has no learned scale: images have mean 0 and variance 1 per channel over the batch, as
    normalised data have.

    Args:
        latent: Dimensions of the noise.
        shape: Of an image; height and width are multiples of 4.
        width: Channels at a quarter and at half of the size; the last layer before the image has half as many.

    Raises:
        InputError: Height or width is no multiple of 4.
    """

    def __init__(self, latent: int, shape: ImageShape, width: int) -> None:
        super().__init__()
        if shape.height % _SCALE_UP or shape.width % _SCALE_UP:
            raise InputError(
                f"the generator dfad makes images whose sides are multiples of {_SCALE_UP}, "
                f"not {shape.height} x {shape.width}",
                "choose such a size, or write a generator of your own and name it by module:function",
            )
        quarter = (shape.height // _SCALE_UP, shape.width // _SCALE_UP)
        self.layers = nn.Sequential(
            nn.Linear(latent, width * quarter[0] * quarter[1]),
            nn.Unflatten(1, (width, *quarter)),
            batch_norm(width),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(width, width, 3, padding=1),
            batch_norm(width),
            nn.LeakyReLU(_SLOPE),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(width, width // 2, 3, padding=1),
            batch_norm(width // 2),
            nn.LeakyReLU(_SLOPE),
            nn.Conv2d(width // 2, shape.channels, 3, padding=1),
            nn.Tanh(),
            batch_norm(shape.channels, affine=False),
        )

    def forward(self, noise: Tensor) -> Tensor:
        """Map ``(batch, latent)`` to images ``(batch, channels, height, width)``."""
        images: Tensor = self.layers(noise)
        return images


class MlpGenerator(nn.Module):
    """Affine layers with LeakyReLU, then tanh times a scale: points within a square around 0. Our choice.

    It has no batch normalisation: what it makes of a noise does not depend on the batch.

    Args:
        latent: Dimensions of the noise.
        shape: Of an image.
        width: Of each hidden layer.
        layers: Hidden ones.
        scale: Half the side of the square.
    """

    def __init__(self, latent: int, shape: ImageShape, width: int, layers: int, scale: float) -> None:
        super().__init__()
        self.shape, self.scale = shape, scale
        widths = [latent, *[width] * layers]
        self.hidden = nn.ModuleList(nn.Linear(inputs, width) for inputs in widths[:-1])
        self.output = nn.Linear(widths[-1], shape.values)

    def forward(self, noise: Tensor) -> Tensor:
        """Map ``(batch, latent)`` to images ``(batch, channels, height, width)``."""
        features = noise
        for layer in self.hidden:
            features = nn.functional.leaky_relu(layer(features), _SLOPE)
        images: Tensor = self.scale * torch.tanh(self.output(features))
        return images.view(-1, *self.shape)
