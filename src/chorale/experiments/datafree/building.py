"""From a configuration to networks and engines, checked against one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from chorale.core.seeds import seed_for
from chorale.experiments.datafree.config import DatafreeConfig
from chorale.experiments.datafree.corpus.data import ImageData
from chorale.experiments.datafree.methods.choice import METHODS, compares_taps
from chorale.experiments.datafree.networks.connectors import Connectors
from chorale.experiments.datafree.networks.folding import folded
from chorale.experiments.datafree.networks.registry import build_classifier, build_generator
from chorale.experiments.datafree.networks.taps import require_same_places, require_taps, tap_shapes, taps_of
from chorale.experiments.datafree.players import Players
from chorale.experiments.datafree.student import StudentModel, student_optimizer
from chorale.ranks.backends.base import Engine, make_engine, placed
from chorale.ranks.group import Group
from chorale.training.task import slice_of

_ADAM_BETAS = (0.9, 0.999)


@dataclass
class Parts:
    """What a distillation is made of.

    Attributes:
        players: Who takes part.
        generator: Its engine, if the method has one.
        engines: All that a checkpoint holds.
        neurons_correspond: Whether student and teacher have pre-activations of the same shapes, as they are or through
            connectors.
        config: What they were made from.
        data: For shapes.
    """

    players: Players
    generator: Engine | None
    engines: list[Engine]
    neurons_correspond: bool
    config: DatafreeConfig
    data: ImageData

    def begin_anew(self, number: int) -> None:
        """Give the generator other first weights and a fresh optimizer.

        Args:
            number: So often has it begun anew, this time included.
        """
        if self.generator is not None:
            self.generator.begin_anew(_generator(self.config, self.data, number).state_dict())


def build_parts(
    teacher: nn.Module, data: ImageData, config: DatafreeConfig, group: Group, device: torch.device
) -> Parts:
    """Return networks and engines, the student's and the generator's first weights a function of the seed.

    Args:
        teacher: Frozen and evaluating.
        data: For shapes and classes.
        config: Everything else.
        group: The ranks.
        device: Where this rank computes.

    Raises:
        InputError: A loss needs pre-activations, and a network names none, or others than its partner.
    """
    classes = len(data.classes)
    network = build_classifier(config.student.network, data.shape, classes, seed_for(config.seed, "student"))
    teacher_taps, student_taps = taps_of(teacher, config.teacher.taps), taps_of(network, config.student.taps)
    own_shapes = tap_shapes(network, student_taps, data.shape)
    shapes = tap_shapes(teacher, teacher_taps, data.shape)
    connectors = None
    if _needs_taps(config):
        require_taps(teacher_taps, f"the teacher {config.teacher.network}", "teacher.taps")
    if compares_taps(config):
        require_taps(student_taps, f"the student {config.student.network}", "student.taps")
        require_same_places(own_shapes, shapes)
        if config.method.kind != "zskt":
            connectors = Connectors(own_shapes, shapes, config.seed)
    correspond = bool(student_taps) and (connectors is not None or own_shapes == shapes)
    used = student_taps if compares_taps(config) else ()
    model = StudentModel(network, used, connectors, config.method)
    student = make_engine(
        "student",
        model,
        lambda parameters: student_optimizer(parameters, config.student),
        config.backend,
        group,
        device,
    )
    generator = None
    if METHODS[config.method.kind].has_generator:
        generator = make_engine(
            "generator",
            _generator(config, data, 0),
            lambda parameters: torch.optim.Adam(parameters, lr=config.generator.rate, betas=_ADAM_BETAS, fused=True),
            config.backend,
            group,
            device,
        )
    players = Players(
        placed(_quick(teacher, teacher_taps, config), config.backend, device),
        teacher_taps,
        student,
        student_taps,
        generator,
        config.generator.latent,
        slice_of(config.schedule.batch, group.rank, group.size),
        config.seed,
        group,
        device,
    )
    engines = [student] if generator is None else [student, generator]
    return Parts(players, generator, engines, correspond, config, data)


def _generator(config: DatafreeConfig, data: ImageData, number: int) -> nn.Module:
    own, seed = config.generator, seed_for(config.seed, "generator", number)
    return build_generator(own.network, data.shape, own.latent, seed, width=own.width, scale=own.scale)


def _quick(teacher: nn.Module, taps: Sequence[str], config: DatafreeConfig) -> nn.Module:
    return teacher if METHODS[config.method.kind].needs_statistics else folded(teacher, taps)


def _needs_taps(config: DatafreeConfig) -> bool:
    return compares_taps(config) or METHODS[config.method.kind].needs_taps
