"""The training of small teachers on made-up faces; as a program, one rank of it.

``face_teaching.py SCENARIOS.json RESULTS.json``: a scenario is a backend's configuration; with each, the losses of both
teachers' steps are written, summed over the ranks, and the evaluations at the end.
"""

from __future__ import annotations

from typing import Any

import torch
from one_rank import be_one_rank
from torch import Tensor

from chorale.experiments.speech2video.config.teachers import TeacherConfig
from chorale.experiments.speech2video.corpus.clips import Labels
from chorale.experiments.speech2video.networks.emotion_teacher import EmotionTeacher
from chorale.experiments.speech2video.networks.identity_teacher import IdentityTeacher
from chorale.experiments.speech2video.networks.shapes import FrameSize
from chorale.experiments.speech2video.training.teaching import TeachingTask
from chorale.ranks.config import BackendConfig
from chorale.ranks.group import Group, SingleProcess
from chorale.training.draws import seed_everything

STEPS = 20
SIZE = FrameSize(3)
CONFIG = TeacherConfig(steps=STEPS, batch=6, rate=2e-2, judged_frames=3)


class MadeUpFaces:
    """Noise whose upper half is as bright as its emotion and whose left half is as dark as its speaker."""

    def keys(self, part: str) -> list[str]:
        return [f"{part}-{number}" for number in range(12 if part == "train" else 5)]

    def length(self, key: str) -> int:
        return 4

    def labels(self, key: str) -> Labels:
        number = int(key.split("-")[1])
        return Labels(number % 3, number % 2)

    def frames(self, key: str, first: int = 0, count: int | None = None) -> Tensor:
        noise = 0.3 * torch.randn(
            4, 3, SIZE.height, SIZE.width, generator=torch.Generator().manual_seed(len(key) + ord(key[-1]))
        )
        speaker, emotion = self.labels(key)
        noise[:, :, : SIZE.height // 2] += 1.5 * emotion
        noise[..., : SIZE.width // 2] -= 1.5 * speaker
        return noise[first : None if count is None else first + count]


def losses(backend: dict[str, Any], group: Group | None = None) -> list[dict[str, float]]:
    """Return the means of every step of both, and at the end the evaluations."""
    group = group or SingleProcess()
    told = []
    for what, frames in (("emotion", 2), ("speaker", 1)):
        seed_everything(0, group.rank)
        torch.manual_seed(0)
        network = (
            EmotionTeacher(SIZE, 2, (1, 1, 1, 1), (8, 8, 8, 8), bottleneck=False, reduction=2)
            if what == "emotion"
            else IdentityTeacher(SIZE, 3, (1, 1, 1, 1, 1), (8, 8, 8, 8, 8))
        )
        faces: Any = MadeUpFaces()
        cpu = torch.device("cpu")
        task = TeachingTask(network, what, frames, faces, CONFIG, BackendConfig(**backend), 0, group, cpu)
        for step in range(STEPS):
            own = task.step(step)
            told.append(dict(zip(own, group.total(list(own.values())), strict=True)))
        told.append(task.evaluate(STEPS))
    return told


if __name__ == "__main__":
    be_one_rank(losses)
