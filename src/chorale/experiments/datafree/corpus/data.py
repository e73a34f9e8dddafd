"""The corpus in memory: normalised images and their labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chorale.data.corpora.images import read_images
from chorale.experiments.datafree.config import DatafreeConfig
from chorale.experiments.datafree.corpus.moons import MOON_NAMES, two_moons
from chorale.experiments.datafree.networks.shapes import ImageShape


class Scale(NamedTuple):
    """How images are normalised: ``(image / 255 - mean) / deviation``, for each channel.

    Attributes:
        mean: Of the training images.
        deviation: Their standard deviation.
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]


class LabelledImages(NamedTuple):
    """Images of one part of a corpus.

    Attributes:
        images: ``(n, channels, height, width)``, uint8, or float32 of points that are normalised already.
        labels: ``(n,)``, int64.
    """

    images: NDArray[np.generic]
    labels: NDArray[np.int64]


class ImageData:
    """A corpus, its images normalised when they are asked for.

    Attributes:
        train: For the teacher.
        test: For the evaluation alone.
        classes: Names of the classes.
        shape: Of every image.
        scale: By which images are normalised.

    Args:
        train: For the teacher.
        test: For the evaluation alone.
        classes: Names of the classes.
        scale: The training images' own if not given.
    """

    def __init__(
        self, train: LabelledImages, test: LabelledImages, classes: Sequence[str], scale: Scale | None = None
    ) -> None:
        self.train, self.test, self.classes = train, test, tuple(classes)
        channels, height, width = train.images.shape[1:]
        self.shape = ImageShape(channels, height, width)
        self.scale = scale or scale_of(train.images)

    @classmethod
    def read(cls, config: DatafreeConfig, cache: Path) -> ImageData:
        """Return the configured corpus.

        Raises:
            InputError: A file is missing or damaged; says which.
        """
        if config.corpus is None:
            moons = config.moons
            if moons is None:
                raise ValueError("neither images nor moons")
            train = two_moons(moons.train, moons.noise, moons.seed, "train")
            test = two_moons(moons.test, moons.noise, moons.seed, "test")
            return cls(LabelledImages(*train), LabelledImages(*test), MOON_NAMES)
        corpus = read_images(config.corpus, cache)
        return cls(LabelledImages(*corpus.train), LabelledImages(*corpus.test), corpus.classes)

    def batch(self, part: LabelledImages, indices: Sequence[int] | NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Return normalised images ``(batch, channels, height, width)`` and labels ``(batch,)``."""
        chosen = np.asarray(indices, dtype=np.int64)
        return normalise(part.images[chosen], self.scale), torch.from_numpy(part.labels[chosen])


def scale_of(images: NDArray[np.generic]) -> Scale:
    """Return mean and standard deviation of each channel, of images that run from 0 to 1; points keep their own."""
    if images.dtype != np.uint8:
        return Scale((0.0,) * images.shape[1], (1.0,) * images.shape[1])
    # A histogram says the same as the images, in 256 numbers, exactly and without a copy of them as floats.
    levels = np.arange(256) / 255.0
    means, deviations = [], []
    for channel in range(images.shape[1]):
        counts = np.bincount(images[:, channel].reshape(-1), minlength=256)
        mean = float((counts * levels).sum() / counts.sum())
        means.append(mean)
        deviations.append(float(np.sqrt((counts * (levels - mean) ** 2).sum() / counts.sum())) or 1.0)
    return Scale(tuple(means), tuple(deviations))


def normalise(images: NDArray[np.generic], scale: Scale) -> Tensor:
    """Return ``(batch, channels, height, width)`` in fp32."""
    if images.dtype != np.uint8:
        return torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))
    mean, deviation = (np.asarray(values, dtype=np.float32).reshape(1, -1, 1, 1) for values in scale)
    return torch.from_numpy((images.astype(np.float32) / np.float32(255) - mean) / deviation)


def denormalise(images: Tensor, scale: Scale) -> NDArray[np.uint8]:
    """Return images as a screen shows them ``(batch, channels, height, width)``; what is out of range is cut off."""
    mean, deviation = (torch.tensor(values).view(1, -1, 1, 1) for values in scale)
    shown = (images.detach().float().cpu() * deviation + mean).clamp(0, 1) * 255
    result: NDArray[np.uint8] = shown.round().to(torch.uint8).numpy()
    return result
