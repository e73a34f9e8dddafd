"""One rank that trains the tiny synthesiser on made-up speech: ``speech_training.py SCENARIOS.json RESULTS.json``.

Each scenario is a backend's configuration; of each, the losses of every step are written, summed over the ranks.
"""

from __future__ import annotations

from typing import Any

import torch
from made_up_speech import N_MELS, TINY, MadeUpSpeech, made_up_config
from one_rank import be_one_rank

from chorale.experiments.fedtts.network.initial import build
from chorale.experiments.fedtts.network.naming import full_depth
from chorale.experiments.fedtts.training import SpeechTask
from chorale.ranks.group import Group, SingleProcess
from chorale.training.draws import seed_everything

STEPS = 50
RECIPE = {"steps": STEPS, "batch": 5, "rate": 0.002, "warmup_steps": 5}
SEED = 0


def losses(backend: dict[str, Any], group: Group | None = None) -> list[dict[str, float]]:
    """Train for 50 steps, with dropout, and return the losses of each step and, at the end, of the validation."""
    group = group or SingleProcess()
    network = {**TINY.model_dump(), "dropout": 0.1}
    config = made_up_config(backend=backend, recipe=RECIPE, network=network)
    data = MadeUpSpeech()
    first = build(config.network, data.n_symbols, N_MELS, full_depth(config.network), SEED)
    task = SpeechTask(first, data, config, group, torch.device("cpu"))
    told = []
    seed_everything(SEED, group.rank)
    for step in range(STEPS):
        values = task.step(step)
        told.append(dict(zip(values, group.total(list(values.values())), strict=True)))
    return [*told, task.evaluate(STEPS)]


if __name__ == "__main__":
    be_one_rank(losses)
