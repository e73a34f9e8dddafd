"""A distillation small enough for a test, on made-up images; as a program, one rank of it.

``small_distillation.py SCENARIOS.json RESULTS.json``: each scenario is a backend's configuration and a method; of each,
the losses of every round are written, summed over the ranks, and the evaluation at the end.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from chorale.core.config import ConfigTree, validate
from chorale.experiments.datafree.building import build_parts
from chorale.experiments.datafree.config import DatafreeConfig
from chorale.experiments.datafree.corpus.data import ImageData, LabelledImages
from chorale.experiments.datafree.distillation import DistillationTask
from chorale.experiments.datafree.networks.registry import build_classifier
from chorale.ranks.config import BackendConfig
from chorale.ranks.device import set_threads
from chorale.ranks.group import Group, SingleProcess, open_group
from chorale.training.draws import seed_everything

ROUNDS = 7
"""Each of two steps of the student and one of the generator: twenty-one steps."""
CLASSES = 4
TIMEOUT_S = 60.0
CPU = torch.device("cpu")
METHODS: dict[str, Any] = {
    "dfad": {"kind": "dfad"},
    "dfad-log": {"kind": "dfad", "generator_loss": "log"},
    "dfad-ar-vi": {
        "kind": "dfad",
        "activation": {"weight": 0.1, "generator_weight": 0.05},
        "interpolation": {"kind": "mixed"},
    },
    "dafl": {"kind": "dafl"},
    "dfq": {"kind": "dfq"},
    "zskt": {"kind": "zskt", "zskt": {"attention": 10.0}},
    "noise": {"kind": "noise"},
    "real": {"kind": "real"},
}


def made_up_images(count: int, seed: int) -> LabelledImages:
    """Return noise of 8 x 8, brighter in the quarter that is its class."""
    random = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % CLASSES
    images = random.integers(0, 120, (count, 1, 8, 8))
    for image, label in zip(images, labels, strict=True):
        top, left = 4 * (label // 2), 4 * (label % 2)
        image[:, top : top + 4, left : left + 4] += 120
    return LabelledImages(images.astype(np.uint8), labels)


def made_up_data() -> ImageData:
    """Return a corpus of them."""
    return ImageData(made_up_images(64, 0), made_up_images(40, 1), [str(label) for label in range(CLASSES)])


def small_config(arm: str = "dfad", **changes: Any) -> DatafreeConfig:
    """Return the configuration of a distillation."""
    values: dict[str, Any] = {
        "teacher": {"network": "resnet8"},
        "student": {"network": "resnet8-half", "rate": 0.02, "steps": 2},
        "generator": {"width": 8, "latent": 6},
        "method": METHODS[arm],
        "schedule": {"batch": 16, "queries": 10**4, "sheet": 8},
        "collapse": {"action": "ignore"},
    }
    for key, value in changes.items():
        values[key] = {**values.get(key, {}), **value} if isinstance(value, dict) else value
    return validate(DatafreeConfig, ConfigTree(values, {}))


def small_teacher(name: str = "resnet8") -> nn.Module:
    """Return a teacher that has learnt nothing, but whose normalisation layers have statistics of their own."""
    data = made_up_data()
    teacher = build_classifier(name, data.shape, CLASSES, seed=5)
    generator = torch.Generator().manual_seed(5)
    for name, buffer in teacher.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(0.0, 0.2, generator=generator)
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5, generator=generator)
    return teacher.requires_grad_(False).eval()


def small_task(config: DatafreeConfig, group: Group | None = None) -> DistillationTask:
    """Return the task of a distillation."""
    group, data = group or SingleProcess(), made_up_data()
    parts = build_parts(small_teacher(config.teacher.network), data, config, group, CPU)
    return DistillationTask(parts, data, config, group, CPU)


def losses(method: str, backend: dict[str, Any], group: Group | None = None) -> list[dict[str, float]]:
    """Distil and return the losses of each, and the evaluation."""
    group = group or SingleProcess()
    task = small_task(small_config(method, backend=backend), group)
    told = []
    seed_everything(0, group.rank)
    for step in range(ROUNDS):
        values = task.step(step)
        told.append(dict(zip(values, group.total(list(values.values())), strict=True)))
    return [*told, task.evaluate(ROUNDS)]


def main() -> None:
    """Be one rank."""
    scenarios, results = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    set_threads(1)
    group = open_group(BackendConfig(kind=scenarios[0]["backend"]["kind"]).stage_kind, TIMEOUT_S)
    found = [losses(scenario["method"], scenario["backend"], group) for scenario in scenarios]
    if group.rank == 0:
        results.write_text(json.dumps(found))
    group.close()


if __name__ == "__main__":
    main()
