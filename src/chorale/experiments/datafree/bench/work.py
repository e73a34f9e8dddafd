"""What is measured: networks of one size, and both loops with the same first weights of them."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch

from chorale.experiments.datafree.bench.reference import Reference
from chorale.experiments.datafree.building import Parts, build_parts
from chorale.experiments.datafree.config import DatafreeConfig
from chorale.experiments.datafree.config.training import GeneratorConfig, ScheduleConfig, StudentConfig, TeacherConfig
from chorale.experiments.datafree.corpus.data import ImageData, LabelledImages
from chorale.experiments.datafree.distillation import DistillationTask
from chorale.experiments.datafree.networks.registry import build_classifier
from chorale.experiments.datafree.networks.shapes import ImageShape
from chorale.ranks.config import BackendConfig
from chorale.ranks.group import SingleProcess

_MANY_QUERIES = 10**12


@dataclass(frozen=True)
class Work:
    """Networks of one size, distilled by plain DFAD.

    Attributes:
        teacher: A name of the registry.
        student: Likewise.
        shape: Of an image.
        width: Of the generator.
        latent: Length of z.
        batch: Images of each step.
        classes: Logits.
    """

    teacher: str
    student: str
    shape: ImageShape
    width: int
    latent: int
    batch: int
    classes: int = 10

    def config(self, precision: Literal["fp32", "bf16"] = "fp32", channels_last: bool = False) -> DatafreeConfig:
        """Return the configuration of the distillation."""
        return DatafreeConfig(
            teacher=TeacherConfig(network=self.teacher),
            student=StudentConfig(network=self.student),
            generator=GeneratorConfig(width=self.width, latent=self.latent),
            # The rates stay what they are, as the reference's do.
            schedule=ScheduleConfig(batch=self.batch, queries=_MANY_QUERIES, decay_at=()),
            backend=BackendConfig(kind="single", precision=precision, channels_last=channels_last),
        )


TINY = Work("resnet14-coarse", "resnet8-coarse", ImageShape(1, 28, 28), width=16, latent=64, batch=64)
"""The networks of ``configs/datafree/tiny.yaml``, for a CPU."""
PAPER = Work("resnet34", "resnet18", ImageShape(3, 32, 32), width=128, latent=256, batch=256)
"""The networks of ``configs/datafree/paper.yaml``, for a GPU."""


class Distillation:
    """A distillation as a run does it, round after round, without its evaluations and checkpoints.

    Args:
        work: Networks and batch.
        device: Where it computes.
        precision: Of forward and backward passes.
        channels_last: Order of the weights in memory.

    Attributes:
        parts: Networks and engines.
        images_per_round: That are generated; each is learnt from once, by the student or by the generator.
        rounds: Done so far.
    """

    def __init__(
        self,
        work: Work,
        device: torch.device,
        precision: Literal["fp32", "bf16"] = "fp32",
        channels_last: bool = False,
    ) -> None:
        config, data = work.config(precision, channels_last), _made_up_data(work)
        teacher = build_classifier(work.teacher, work.shape, work.classes, seed=0).requires_grad_(False).eval()
        self.parts: Parts = build_parts(teacher, data, config, SingleProcess(), device)
        self._task = DistillationTask(self.parts, data, config, SingleProcess(), device)
        self.images_per_round = (config.student.steps + config.generator.steps) * config.schedule.batch
        self.rounds = 0

    def round(self) -> tuple[float, float]:
        """Do one round; return the mean of the student's losses and the generator's loss."""
        losses = self._task.step(self.rounds)
        self.rounds += 1
        return losses["student/disagreement"], losses["generator/minus_disagreement"]


class Loops(NamedTuple):
    """Both loops, each with networks of its own."""

    chorale: Distillation
    reference: Reference


def make_loops(work: Work, device: torch.device) -> Loops:
    """Return both loops, whose networks begin with the same weights and optimizers have the same rates."""
    own = Distillation(work, device)
    config, players = own.parts.config, own.parts.players
    teacher, student, generator = (
        copy.deepcopy(network) for network in (players.teacher, players.student_network, players.generator.network)
    )
    reference = Reference(
        teacher,
        student,
        generator,
        work.batch,
        work.latent,
        config.student.steps,
        config.student.rate,
        config.student.momentum,
        config.student.weight_decay,
        config.generator.rate,
    )
    return Loops(own, reference)


def _made_up_data(work: Work) -> ImageData:
    """Return black images, which only tell shape and classes."""
    black = LabelledImages(np.zeros((1, *work.shape), np.uint8), np.zeros(1, np.int64))
    return ImageData(black, black, [str(label) for label in range(work.classes)])
