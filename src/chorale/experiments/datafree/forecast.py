"""How long a run will take, said before it starts, from a trial on throw-away networks."""

from __future__ import annotations

from typing import NamedTuple

import torch

from chorale.core.config import changed
from chorale.core.seeds import seed_for
from chorale.experiments.datafree.building import build_parts
from chorale.experiments.datafree.config import DatafreeConfig
from chorale.experiments.datafree.corpus.data import ImageData
from chorale.experiments.datafree.distillation import DistillationTask
from chorale.experiments.datafree.methods.choice import rounds_of
from chorale.experiments.datafree.networks.registry import build_classifier
from chorale.experiments.datafree.teacher import TeacherTask
from chorale.ranks.group import Group, SingleProcess
from chorale.training.trial import seconds_per_step

_SECONDS_PER_HOUR = 3600.0


class Forecast(NamedTuple):
    """What a run will take, without evaluations, checkpoints, and what ranks send one another.

    Attributes:
        device: Where the trial was done.
        teacher_steps: Of the teacher's training; 0 where the user's own weights are given.
        teacher_step_s: Of each, s.
        rounds: Of the distillation.
        round_s: Of each, s.
    """

    device: str
    teacher_steps: int
    teacher_step_s: float
    rounds: int
    round_s: float

    @property
    def hours(self) -> float:
        """Of the whole run."""
        return (self.teacher_steps * self.teacher_step_s + self.rounds * self.round_s) / _SECONDS_PER_HOUR

    def in_words(self) -> str:
        """Return one line for people."""
        teacher = f"teacher {self.teacher_steps:,} steps of {self.teacher_step_s:.3g} s, " if self.teacher_steps else ""
        return (
            f"about {self.hours:.2g} h on {self.device}: {teacher}distillation {self.rounds:,} rounds of "
            f"{self.round_s:.3g} s; evaluations, checkpoints and what ranks send one another come on top"
        )


def forecast(config: DatafreeConfig, data: ImageData, group: Group, device: torch.device) -> Forecast:
    """Return what the run will take, by this rank's share of ``config.trial`` steps and rounds.

    Nothing is sent between ranks, and nothing of the run is touched: every draw of a training is keyed by its step.

    Args:
        config: Of one distillation.
        data: For shapes, and images for the teacher.
        group: The ranks, for their number.
        device: Where this rank computes.
    """
    own = _of_one_rank(config, group.size)
    teacher = build_classifier(own.teacher.network, data.shape, len(data.classes), seed_for(own.seed, "trial"))
    steps, step_s = 0, 0.0
    if config.teacher.weights is None:
        task = TeacherTask(teacher, data, own.teacher, own.backend, own.seed, SingleProcess(), device)
        steps, step_s = config.teacher.steps, seconds_per_step(task, config.trial, device)
    parts = build_parts(teacher.requires_grad_(False).eval(), data, own, SingleProcess(), device)
    round_s = seconds_per_step(DistillationTask(parts, data, own, SingleProcess(), device), config.trial, device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    return Forecast(name, steps, step_s, rounds_of(config), round_s)


def _of_one_rank(config: DatafreeConfig, ranks: int) -> DatafreeConfig:
    return changed(
        config,
        backend=changed(config.backend, kind="single", nodes=1, ranks_per_node=1),
        teacher=changed(config.teacher, batch=max(2, config.teacher.batch // ranks)),
        schedule=changed(config.schedule, batch=max(2, config.schedule.batch // ranks // 2 * 2)),
    )
