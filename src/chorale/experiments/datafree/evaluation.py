"""How well a classifier does on test images, together on all ranks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from chorale.experiments.datafree.corpus.data import ImageData
from chorale.experiments.datafree.metrics.accuracy import count
from chorale.experiments.datafree.metrics.boundaries import boundary_mismatch
from chorale.experiments.datafree.players import Players
from chorale.ranks.group import Group
from chorale.training.task import slice_of

_BATCH = 500


class Shares(NamedTuple):
    """Of the test images.

    Attributes:
        accuracy: Share that a network labels rightly.
        agreement: Share that it labels as its teacher does, rightly or not.
    """

    accuracy: float
    agreement: float


def measured_accuracy(network: nn.Module, data: ImageData, group: Group, device: torch.device) -> float:
    """Return the share of test images that ``network`` labels rightly; called on ALL ranks."""
    return _measured(network, None, data, group, device).accuracy


def measured_shares(
    network: nn.Module, teacher: nn.Module, data: ImageData, group: Group, device: torch.device
) -> Shares:
    """Return what a student has learnt; called on ALL ranks."""
    return _measured(network, teacher, data, group, device)


def _measured(
    network: nn.Module, teacher: nn.Module | None, data: ImageData, group: Group, device: torch.device
) -> Shares:
    right = agreeing = 0
    with evaluating(network), torch.no_grad():
        for images, labels in evaluation_batches(data, group, device):
            logits = network(images)
            counts = count(logits, logits if teacher is None else teacher(images), labels)
            right, agreeing = right + counts.right, agreeing + counts.agreeing
    totals = group.total([float(right), float(agreeing)])
    return Shares(*(total / len(data.test.labels) for total in totals))


def measured_mismatch(players: Players, data: ImageData, group: Group, device: torch.device) -> float:
    """Return the share of neurons, mean over pre-activations, on whose sign student and teacher differ.

    On test images, through the connectors where there are some; called on ALL ranks.

    Args:
        players: Of the distillation; both have as many pre-activations, of the same shapes.
        data: Its test images.
        group: The ranks.
        device: Where this rank computes.
    """
    wrong = 0.0
    with evaluating(players.student_model), torch.no_grad():
        for images, _ in evaluation_batches(data, group, device):
            pairs = players.reply(images, with_taps=True).taps, players.ask(images, with_taps=True).taps
            counts = boundary_mismatch(*pairs)
            wrong += sum(counts) / len(counts)
    (total,) = group.total([wrong])
    return total / len(data.test.labels)


def evaluation_batches(data: ImageData, group: Group, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield this rank's share of the test images with their labels."""
    part = slice_of(len(data.test.labels), group.rank, group.size)
    for first in range(part.first, part.last, _BATCH):
        images, labels = data.batch(data.test, range(first, min(first + _BATCH, part.last)))
        yield images.to(device), labels.to(device)


class evaluating:  # noqa: N801 (a context manager, named as one reads it)
    """In the block the network evaluates, afterwards it does what it did before."""

    def __init__(self, network: nn.Module) -> None:
        self._network = network

    def __enter__(self) -> None:
        self._was_training = self._network.training
        self._network.eval()

    def __exit__(self, *exception: object) -> None:
        self._network.train(self._was_training)
