"""The toy in the plane: where teacher and student decide, and where the generator asks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from chorale.core.seeds import seed_for
from chorale.experiments.datafree.comparison.arms import arms_of
from chorale.experiments.datafree.config import DatafreeConfig
from chorale.experiments.datafree.corpus.data import ImageData
from chorale.experiments.datafree.networks.registry import build_classifier, build_generator
from chorale.experiments.datafree.results import GENERATOR_FILE, STUDENT_FILE, TEACHER_FILE, networks_folder
from chorale.runs.directory import Run
from chorale.runs.parts import Part, Plot, Series
from chorale.training.keyed import normal

_REACH, _GRID, _SHOWN = 3.0, 241, 400


def plane_parts(run: Run, config: DatafreeConfig) -> list[Part]:
    """Return the drawing of the run's one distillation; nothing as long as there is no student yet."""
    return _planes(run, config, [("The plane", networks_folder(run))])


def arms_planes(run: Run, config: DatafreeConfig) -> list[Part]:
    """Return a drawing for each arm of a comparison that has a student already, all of the first seed."""
    arms = arms_of(config).items()
    return _planes(run, config, [(f"The plane: {arm.label}", networks_folder(run, name)) for name, arm in arms])


def _planes(run: Run, config: DatafreeConfig, folders: Sequence[tuple[str, Path]]) -> list[Part]:
    found = [(title, folder) for title, folder in folders if (folder / STUDENT_FILE).exists()]
    if not found:
        return []
    data = ImageData.read(config, config.where.cache)
    teacher = _classifier(config.teacher.network, data, run.artifacts / TEACHER_FILE)
    edge = Series("teacher's boundary", *_columns(decision_boundary(teacher)), style="points")
    return [_plane(title, folder, config, data, edge) for title, folder in found]


def _plane(title: str, folder: Path, config: DatafreeConfig, data: ImageData, teacher: Series) -> Plot:
    series = []
    for label, name in enumerate(data.classes):
        points = data.train.images[data.train.labels == label][:_SHOWN, :, 0, 0]
        series.append(Series(name, *_columns(points), style="points"))
    if (folder / GENERATOR_FILE).exists():
        series.append(Series("generated", *_columns(_made(folder / GENERATOR_FILE, config, data)), style="points"))
    student = _classifier(config.student.network, data, folder / STUDENT_FILE)
    edge = Series("student's boundary", *_columns(decision_boundary(student)), style="points")
    note = "Boundaries are where the likeliest class changes between neighbouring points of a grid."
    return Plot(title, "first coordinate", "second coordinate", [*series, teacher, edge], note)


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


def _classifier(network: str, data: ImageData, file: Path) -> nn.Module:
    return _loaded(build_classifier(network, data.shape, len(data.classes), 0), file)


def _loaded(network: nn.Module, file: Path) -> nn.Module:
    network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    return network.eval()


@torch.no_grad()
def _made(file: Path, config: DatafreeConfig, data: ImageData) -> NDArray[np.float32]:
    own, shape = config.generator, torch.Size((_SHOWN, config.generator.latent))
    generator = _loaded(build_generator(own.network, data.shape, own.latent, 0, width=own.width, scale=own.scale), file)
    made = generator(normal(seed_for(config.seed, "sheet"), 0, shape, torch.device("cpu")))
    result: NDArray[np.float32] = made[:, :, 0, 0].numpy()
    return result


def _columns(points: NDArray[np.generic]) -> tuple[list[float], list[float]]:
    return [float(x) for x in points[:, 0]], [float(y) for y in points[:, 1]]
