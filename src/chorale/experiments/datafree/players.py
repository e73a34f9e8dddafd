"""Teacher, student and generator on this rank, and what the ways of distilling have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from chorale.core.seeds import seed_for
from chorale.experiments.datafree.networks.taps import Tapped
from chorale.experiments.datafree.student import StudentModel
from chorale.ranks.backends.base import Engine
from chorale.ranks.group import Group
from chorale.training.keyed import normal
from chorale.training.task import Slice


class Answer(NamedTuple):
    """What the teacher says of images.

    Attributes:
        logits: ``(batch, classes)``, fp32.
        taps: Pre-activations, shallow to deep; empty where they were not asked for.
    """

    logits: Tensor
    taps: list[Tensor]


class Players:
    """Who takes part, on one rank.

    Attributes:
        teacher: Frozen and evaluating.
        student: Its engine; the network is a :class:`StudentModel`.
        generator: Its engine, if the method has one.
        part: This rank's slice of every global batch.
        group: The ranks.

    Args:
        teacher: On ``device``, frozen and evaluating.
        teacher_taps: Names of its pre-activations, shallow to deep.
        student: Its engine.
        student_taps: Names of the student's pre-activations.
        generator: Its engine, if the method has one.
        latent: Length of z.
        part: This rank's slice of every global batch.
        seed: Of every draw.
        group: The ranks.
        device: Where this rank computes.
    """

    def __init__(
        self,
        teacher: nn.Module,
        teacher_taps: Sequence[str],
        student: Engine,
        student_taps: Sequence[str],
        generator: Engine | None,
        latent: int,
        part: Slice,
        seed: int,
        group: Group,
        device: torch.device,
    ) -> None:
        self.teacher, self.student = teacher, student
        self.part, self.group, self.device = part, group, device
        self._generator, self._latent, self._seed = generator, latent, seed
        self._teacher_taps, self._student_taps = tuple(teacher_taps), tuple(student_taps)

    @property
    def generator(self) -> Engine:
        """The generator's engine.

        Raises:
            ValueError: The method has none.
        """
        if self._generator is None:
            raise ValueError("this method has no generator")
        return self._generator

    @property
    def student_network(self) -> nn.Module:
        """The bare student."""
        return self.student_model.network

    @property
    def student_model(self) -> StudentModel:
        """The student with its losses.

        Raises:
            TypeError: The engine holds another network.
        """
        model = self.student.network
        if not isinstance(model, StudentModel):
            raise TypeError("the student's engine holds another network")
        return model

    def train(self) -> None:
        """Put student and generator into training mode, before each round.

        Once a round, for it costs a hundredth of the time of small networks' steps, and nothing in a round evaluates.
        """
        self.student.module.train()
        if self._generator is not None:
            self._generator.module.train()

    def noise(self, shape: Sequence[int], *key: str | int) -> Tensor:
        """Return standard normal numbers for this rank's samples ``(slice, *shape)``, a function of key and sample."""
        size = torch.Size((len(self.part.samples), *shape))
        return normal(seed_for(self._seed, *key), self.part.first, size, self.device)

    def generated(self, *key: str | int) -> Tensor:
        """Return this rank's generated images; gradients flow to the generator unless that is switched off."""
        with self.generator.autocast():
            images: Tensor = self.generator.module(self.noise((self._latent,), *key))
        return images

    def ask(self, images: Tensor, with_taps: bool = False) -> Answer:
        """Return what the teacher says; gradients flow to the images, never to the teacher."""
        with Tapped(self.teacher, self._teacher_taps if with_taps else ()) as tapped, self.student.autocast():
            logits = self.teacher(images).float()
        return Answer(logits, list(tapped.outputs))

    def reply(self, images: Tensor, with_taps: bool = False) -> Answer:
        """Return what the student says, in its present mode; pre-activations in the teacher's widths."""
        model = self.student_model
        with Tapped(model.network, self._student_taps if with_taps else ()) as tapped:
            logits = model.network(images).float()
        taps = list(tapped.outputs)
        return Answer(logits, taps if model.connectors is None or not taps else list(model.connectors(taps)))

    @contextmanager
    def only_generator(self) -> Iterator[None]:
        """In the block gradients flow through the student, but not to it."""
        parameters = [one for one in self.student_model.parameters() if one.requires_grad]
        for parameter in parameters:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in parameters:
                parameter.requires_grad_(True)

    def teach(
        self,
        images: Tensor,
        answer: Answer,
        weights: Mapping[str, float],
        labels_between: Tensor | None = None,
    ) -> dict[str, float]:
        """Do one step of the student.

        Args:
            images: This rank's, those in between last.
            answer: The teacher's, to the first of them.
            weights: Of each loss; 1 where none is given.
            labels_between: Of the images in between.

        Returns:
            This rank's part of each mean loss.
        """
        engine = self.student
        engine.zero_grad()
        with engine.autocast():
            sums = engine.module(images, answer.logits, answer.taps, labels_between)
            means = {name: value / self.part.total for name, value in sums.items()}
            loss = torch.stack([weights.get(name, 1.0) * value for name, value in means.items()]).sum()
        engine.backward(loss)
        engine.step()
        return {f"student/{name}": float(value.detach()) for name, value in means.items()}

    def challenge(self, losses: Callable[[Tensor], Mapping[str, Tensor]], *key: str | int) -> dict[str, float]:
        """Do one step of the generator.

        Args:
            losses: From images to this rank's parts of the losses, weighted already; their sum is minimised.
            key: Of the images.

        Returns:
            This rank's part of each loss.
        """
        engine = self.generator
        engine.zero_grad()
        with self.only_generator():
            with engine.autocast():
                parts = losses(self.generated(*key))
                loss = torch.stack([value.float() for value in parts.values()]).sum()
            engine.backward(loss)
        engine.step()
        return {f"generator/{name}": float(value.detach()) for name, value in parts.items()}
