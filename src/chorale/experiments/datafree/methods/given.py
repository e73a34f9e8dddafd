"""Distillation on images that no generator made: the bounds between which data-free methods lie."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from chorale.experiments.datafree.config import DatafreeConfig
from chorale.experiments.datafree.corpus.data import ImageData
from chorale.experiments.datafree.corpus.order import ShuffledOrder
from chorale.experiments.datafree.methods.base import Method, mean_of
from chorale.experiments.datafree.networks.shapes import ImageShape
from chorale.experiments.datafree.players import Players


class _Given(Method):
    has_generator: ClassVar[bool] = False

    @classmethod
    def queries(cls, config: DatafreeConfig) -> int:
        """Return the images of the student's steps."""
        return config.student.steps * config.schedule.batch

    def round(self, number: int) -> dict[str, float]:
        """Let the student match the teacher on other images in each step."""
        steps = []
        for step in range(self.config.student.steps):
            images = self.images(number * self.config.student.steps + step)
            with torch.no_grad():
                answer = self.players.ask(images)
            steps.append(self.players.teach(images, answer, {}))
        return mean_of(steps)

    @abstractmethod
    def images(self, step: int) -> Tensor:
        """Return this rank's images of one step of the student."""


class Noise(_Given):
    """Normal noise, of the training images' mean and deviation: what a student learns from no image at all.

    Args:
        players: Who takes part.
        config: How.
        shape: Of an image.
    """

    def __init__(self, players: Players, config: DatafreeConfig, shape: ImageShape) -> None:
        super().__init__(players, config)
        self._shape = shape

    def images(self, step: int) -> Tensor:
        """Return noise, keyed by the step."""
        return self.players.noise(self._shape, "noise-images", step)


class Real(_Given):
    """The images that the teacher has learnt from (Hinton et al. 2015), without their labels: the ceiling.

    Args:
        players: Who takes part.
        config: How.
        data: The images.
    """

    def __init__(self, players: Players, config: DatafreeConfig, data: ImageData) -> None:
        super().__init__(players, config)
        self._data = data
        self._order = ShuffledOrder(len(data.train.labels), config.schedule.batch, config.seed)

    def images(self, step: int) -> Tensor:
        """Return the step's share of the training images."""
        indices = self._order.indices(step, self.players.part)
        return self._data.batch(self._data.train, indices)[0].to(self.players.device)
