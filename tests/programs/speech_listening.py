"""The pre-training of a small speech encoder on made-up sounds; as a program, one rank of it.

``speech_listening.py SCENARIOS.json RESULTS.json``: a scenario is a backend's configuration; with each, the losses of
every step are written, summed over the ranks, and the evaluation at the end.
"""

from __future__ import annotations

from typing import Any

import torch
from one_rank import be_one_rank

from chorale.experiments.speech2video.config.speech import SpeechConfig
from chorale.experiments.speech2video.training.listening import ListeningTask
from chorale.ranks.config import BackendConfig
from chorale.ranks.group import Group, SingleProcess
from chorale.training.draws import seed_everything

STEPS = 20
CONFIG = SpeechConfig(channels=16, hidden=12, window=160 * 30, ahead=4, negatives=8, batch=6, rate=2e-2, warmup_steps=1)


class MadeUpSpeech:
    """Tones that glide, each another way: what comes next can be guessed."""

    def __init__(self, count: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        rates = 200 + 400 * torch.rand(count, 1, generator=generator)
        at_s = torch.arange(16000) / 16000
        sweep = torch.sin(2 * torch.pi * 3 * at_s + rates)
        self._sounds = 0.1 * torch.sin(2 * torch.pi * torch.cumsum(rates * (1 + 0.5 * sweep), dim=1) / 16000)
        self.lengths = [16000] * count

    def read(self, number: int, first: int, count: int) -> torch.Tensor:
        return self._sounds[number, first : first + count]


def losses(backend: dict[str, Any], group: Group | None = None) -> list[dict[str, float]]:
    """Return the means of every step, and at the end the evaluation."""
    group = group or SingleProcess()
    seed_everything(0, group.rank)
    task = ListeningTask(
        MadeUpSpeech(5, 0), MadeUpSpeech(3, 1), CONFIG, BackendConfig(**backend), 0, group, torch.device("cpu")
    )
    told = []
    for step in range(STEPS):
        own = task.step(step)
        told.append(dict(zip(own, group.total(list(own.values())), strict=True)))
    return [*told, task.evaluate(STEPS)]


if __name__ == "__main__":
    be_one_rank(losses)
