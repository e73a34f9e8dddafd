"""Training the teacher on labelled images, and reading it back: the only place where training images are used."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chorale.core.errors import InputError
from chorale.experiments.datafree.config.training import TeacherConfig
from chorale.experiments.datafree.corpus.augmentation import augment
from chorale.experiments.datafree.corpus.data import ImageData
from chorale.experiments.datafree.corpus.order import ShuffledOrder
from chorale.experiments.datafree.evaluation import measured_accuracy
from chorale.experiments.datafree.networks.registry import build_classifier
from chorale.experiments.datafree.networks.shapes import ImageShape
from chorale.ranks.backends.base import make_engine
from chorale.ranks.config import BackendConfig
from chorale.ranks.group import Group
from chorale.training.task import slice_of


def learning_rate(recipe: TeacherConfig, step: int) -> float:
    """Return the rate at ``step``: a linear rise over the warm-up, then half a cosine (Loshchilov and Hutter 2017)."""
    if step < recipe.warmup_steps:
        return recipe.rate * (step + 1) / recipe.warmup_steps
    done = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
    return 0.5 * recipe.rate * (1.0 + math.cos(math.pi * done))


class ClassifierModel(nn.Module):
    """A classifier and its loss, trained as one."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return the cross-entropy summed over ``(batch, channels, height, width)``."""
        return F.cross_entropy(self.network(images).float(), labels, reduction="sum")


class TeacherTask:
    """The training of the teacher, for the common loop.

    Args:
        network: With its first weights.
        data: Labelled images.
        recipe: How it is trained.
        backend: How ranks compute together.
        seed: Of order and augmentation.
        group: The ranks.
        device: Where this rank computes.
    """

    def __init__(
        self,
        network: nn.Module,
        data: ImageData,
        recipe: TeacherConfig,
        backend: BackendConfig,
        seed: int,
        group: Group,
        device: torch.device,
    ) -> None:
        self._data, self._recipe, self._seed, self._group, self._device = data, recipe, seed, group, device
        self._part = slice_of(recipe.batch, group.rank, group.size)
        self._order = ShuffledOrder(len(data.train.labels), recipe.batch, seed)
        self.model = ClassifierModel(network)
        self.engine = make_engine(
            "teacher", self.model, lambda parameters: _optimizer(parameters, recipe), backend, group, device
        )
        self.engines = (self.engine,)

    def step(self, step: int) -> dict[str, float]:
        """Do one step on this rank's slice of the batch, and return its part of the mean loss."""
        engine, recipe = self.engine, self._recipe
        images, labels = self._data.batch(self._data.train, self._order.indices(step, self._part))
        images = augment(images.to(self._device), recipe.augmentation, self._seed, step, self._part.first)
        engine.module.train()
        engine.set_rate(learning_rate(recipe, step))
        engine.zero_grad()
        with engine.autocast():
            loss = engine.module(images, labels.to(self._device)) / self._part.total
        engine.backward(loss)
        engine.step()
        return {"loss/teacher": float(loss.detach())}

    def gauges(self, step: int) -> dict[str, float]:
        """Return the learning rate of the last step."""
        return {"rate/teacher": learning_rate(self._recipe, step - 1)}

    def evaluate(self, step: int) -> dict[str, float]:
        """Return the accuracy on the test images; no choice is made by it."""
        return {"accuracy/teacher": measured_accuracy(self.model.network, self._data, self._group, self._device)}

    def state(self) -> dict[str, Any]:
        """Return nothing: every draw is keyed by its step."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take nothing back."""


def load_teacher(config: TeacherConfig, weights: Path, shape: ImageShape, classes: int) -> nn.Module:
    """Return the teacher, frozen and evaluating.

    Args:
        config: Which network.
        weights: A state dictionary.
        shape: Of the images it is asked about.
        classes: That the student is to tell apart.

    Raises:
        InputError: The file is no state dictionary of this network, the network does not take such images, or it has
            another number of classes.
    """
    network = build_classifier(config.network, shape, classes, seed=0)
    try:
        state = torch.load(weights, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{weights}: no such file", "give teacher.weights, or leave it out to train one") from None
    except Exception as error:
        raise InputError(f"{weights}: not a state dictionary ({_first_line(error)})", _SAVE_LIKE_THIS) from error
    _check_fit(network, state, weights, shape, classes)
    return network.requires_grad_(False).eval()


_SAVE_LIKE_THIS = "write it with torch.save(network.state_dict(), path)"


def _check_fit(network: nn.Module, state: Any, weights: Path, shape: ImageShape, classes: int) -> None:
    try:
        network.load_state_dict(state)
        with torch.no_grad():
            logits = network.eval()(torch.zeros(2, *shape))
    except Exception as error:
        expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
        raise InputError(
            f"{weights}: {_misfit(state, expected, shape, classes) or _first_line(error)}",
            "teacher.network, the images and the weights must be of one kind",
        ) from error
    if logits.shape != (2, classes):
        raise InputError(
            f"{weights}: the teacher says {tuple(logits.shape)[1:]} values for an image, and there are "
            f"{classes} classes",
            "give a teacher of the images' classes",
        )


def _misfit(state: Any, expected: dict[str, tuple[int, ...]], shape: ImageShape, classes: int) -> str:
    """Say in words what does not fit, where it is one of the usual things."""
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        return "not a state dictionary: names and tensors were expected"
    found = {name: tuple(value.shape) for name, value in state.items()}
    if found.keys() != expected.keys():
        missing, extra = expected.keys() - found.keys(), found.keys() - expected.keys()
        return f"weights of another network ({len(missing)} tensors missing, {len(extra)} unknown)"
    differing = [name for name in expected if expected[name] != found[name]]
    if not differing:
        return ""
    first, last = differing[0], differing[-1]
    if len(found[first]) == 4 and found[first][1] != expected[first][1]:
        return f"a teacher for {found[first][1]}-channel images, and these have {shape.channels}"
    if found[last][0] != expected[last][0] and expected[last][0] == classes:
        return f"a teacher of {found[last][0]} classes, and there are {classes}"
    return f"{first} is {found[first]}, and {expected[first]} was expected"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _optimizer(parameters: Iterable[nn.Parameter], recipe: TeacherConfig) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        parameters, lr=recipe.rate, momentum=recipe.momentum, nesterov=True, weight_decay=recipe.weight_decay
    )
