"""How well a classifier does on test images, together on all ranks."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from chorale.experiments.datafree.corpus.data import ImageData
from chorale.experiments.datafree.metrics.boundaries import boundary_mismatch
from chorale.experiments.datafree.players import Players
from chorale.ranks.group import Group
from chorale.training.task import slice_of

_BATCH = 500


def measured_accuracy(network: nn.Module, data: ImageData, group: Group, device: torch.device) -> float:
    """Return the share of test images that ``network`` labels rightly; called on ALL ranks."""
    right = 0
    with evaluating(network), torch.no_grad():
        for images, labels in evaluation_batches(data, group, device):
            right += int((network(images).argmax(dim=1) == labels).sum())
    (total,) = group.total([float(right)])
    return total / len(data.test.labels)


def measured_agreement(
    network: nn.Module, teacher: nn.Module, data: ImageData, group: Group, device: torch.device
) -> float:
    """Return the share of test images that both label alike, rightly or not; called on ALL ranks."""
    alike = 0
    with evaluating(network), torch.no_grad():
        for images, _ in evaluation_batches(data, group, device):
            alike += int((network(images).argmax(dim=1) == teacher(images).argmax(dim=1)).sum())
    (total,) = group.total([float(alike)])
    return total / len(data.test.labels)


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
