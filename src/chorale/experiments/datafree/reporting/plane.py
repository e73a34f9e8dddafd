"""The toy in the plane: where teacher and student decide, and where the generator asks."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from chorale.core.seeds import seed_for
from chorale.experiments.datafree.config import DatafreeConfig
from chorale.experiments.datafree.corpus.data import ImageData
from chorale.experiments.datafree.networks.registry import build_classifier, build_generator
from chorale.experiments.datafree.results import GENERATOR_FILE, STUDENT_FILE, TEACHER_FILE
from chorale.runs.directory import Run
from chorale.runs.parts import Part, Plot, Series
from chorale.training.keyed import normal

_REACH, _GRID, _SHOWN = 3.0, 241, 400


def plane_parts(run: Run, config: DatafreeConfig) -> list[Part]:
    """Return the drawing; nothing as long as there is no student yet."""
    if not (run.artifacts / STUDENT_FILE).exists():
        return []
    data = ImageData.read(config, config.where.cache)
    classes = len(data.classes)
    teacher = build_classifier(config.teacher.network, data.shape, classes, 0)
    student = build_classifier(config.student.network, data.shape, classes, 0)
    series = []
    for label in range(classes):
        points = data.train.images[data.train.labels == label][:_SHOWN, :, 0, 0]
        series.append(Series(data.classes[label], *_columns(points), style="points"))
    if (run.artifacts / GENERATOR_FILE).exists():
        own = config.generator
        generator = build_generator(own.network, data.shape, own.latent, 0, width=own.width, scale=own.scale)
        made = _made(_loaded(generator, run, GENERATOR_FILE), config)
        series.append(Series("generated", *_columns(made), style="points"))
    for name, network, file in (("teacher", teacher, TEACHER_FILE), ("student", student, STUDENT_FILE)):
        edge = decision_boundary(_loaded(network, run, file))
        series.append(Series(f"{name}'s boundary", *_columns(edge), style="points"))
    note = "Boundaries are where the likeliest class changes between neighbouring points of a grid."
    return [Plot("The plane", "first coordinate", "second coordinate", series, note)]


@torch.no_grad()
def decision_boundary(network: nn.Module, reach: float = _REACH, grid: int = _GRID) -> NDArray[np.float32]:
    """Return points ``(n, 2)`` of the plane where the likeliest class changes.

    Args:
        network: Maps ``(batch, 2, 1, 1)`` to logits.
        reach: The square goes from minus this to this, both ways.
        grid: Points along each side.
    """
    axis = torch.linspace(-reach, reach, grid)
    points = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), dim=-1)
    found = network(points.reshape(-1, 2, 1, 1)).argmax(dim=1).view(grid, grid)
    changes = torch.zeros(grid, grid, dtype=torch.bool)
    changes[:-1] |= found[1:] != found[:-1]
    changes[:, :-1] |= found[:, 1:] != found[:, :-1]
    result: NDArray[np.float32] = points[changes].numpy()
    return result


def _loaded(network: nn.Module, run: Run, file: str) -> nn.Module:
    network.load_state_dict(torch.load(run.artifacts / file, map_location="cpu", weights_only=True))
    return network.eval()


@torch.no_grad()
def _made(generator: nn.Module, config: DatafreeConfig) -> NDArray[np.float32]:
    shape = torch.Size((_SHOWN, config.generator.latent))
    made = generator(normal(seed_for(config.seed, "sheet"), 0, shape, torch.device("cpu")))
    result: NDArray[np.float32] = made[:, :, 0, 0].numpy()
    return result


def _columns(points: NDArray[np.generic]) -> tuple[list[float], list[float]]:
    return [float(x) for x in points[:, 0]], [float(y) for y in points[:, 1]]
