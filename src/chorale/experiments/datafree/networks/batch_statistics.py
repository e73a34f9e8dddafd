"""Statistics of what goes into a network's batch normalisation, beside those it was trained with."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from chorale.core.errors import InputError
from chorale.ranks.reduce import sum_over_ranks

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class LayerStatistics(NamedTuple):
    """Of the input of one batch normalisation, per channel; each tensor ``(channels,)``.

    Attributes:
        mean: Over the global batch and all places.
        variance: Likewise; divided by the count, not by one less.
        running_mean: Of the data that the network was trained with.
        running_variance: Likewise.
        eps: What the layer adds to a variance.
    """

    mean: Tensor
    variance: Tensor
    running_mean: Tensor
    running_variance: Tensor
    eps: float


class BatchStatistics:
    """Notes those statistics during one forward pass in evaluation: ``with BatchStatistics(teacher) as noted: ...``.

    Gradients flow to the network's input. After the block nothing stays behind in the network.

    Args:
        network: The bare network.

    Raises:
        InputError: It has no batch normalisation with running statistics.
    """

    def __init__(self, network: nn.Module) -> None:
        self._layers = [
            module
            for module in network.modules()
            if isinstance(module, _BATCH_NORMS) and module.running_mean is not None
        ]
        if not self._layers:
            raise InputError(
                f"the teacher ({type(network).__name__}) has no batch normalisation whose statistics could be matched",
                "choose a teacher that has, such as resnet8",
            )
        self._sums: dict[int, Tensor] = {}
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> BatchStatistics:
        self._handles = [
            layer.register_forward_pre_hook(partial(self._note, index)) for index, layer in enumerate(self._layers)
        ]
        return self

    def __exit__(self, *error: object) -> None:
        for handle in self._handles:
            handle.remove()

    def layers(self) -> list[LayerStatistics]:
        """Return the statistics of every layer, over the GLOBAL batch; called on ALL ranks, one collective.

        Raises:
            ValueError: The forward pass did not go through every layer.
        """
        if len(self._sums) != len(self._layers):
            raise ValueError("the forward pass did not go through every batch normalisation")
        parts = [self._sums[index] for index in range(len(self._layers))]
        totals = torch.split(sum_over_ranks(torch.cat(parts)), [len(part) for part in parts])
        return [_statistics(layer, total) for layer, total in zip(self._layers, totals, strict=True)]

    def _note(self, index: int, layer: nn.Module, inputs: Any) -> None:
        """Keep sums of distances to the RUNNING mean, and of their squares, and the count.

        About a mean that is near, the difference of the two does not cancel; so one collective for all layers does,
        where a sum about the batch's own mean would need two for each.
        """
        if layer.training:
            raise ValueError("batch normalisation is to be in evaluation: it would normalise by the batch itself")
        if index in self._sums:
            raise ValueError("batch normalisation was computed twice: each pass needs a BatchStatistics of its own")
        features: Tensor = inputs[0].float()
        over = [dimension for dimension in range(features.dim()) if dimension != 1]
        away = features - _running(layer)[0].view([1, -1] + [1] * (features.dim() - 2))
        count = features.new_tensor([features.numel() / features.shape[1]])
        self._sums[index] = torch.cat([away.sum(over), away.square().sum(over), count])


def _statistics(layer: nn.Module, total: Tensor) -> LayerStatistics:
    running_mean, running_variance, eps = _running(layer)
    sums, squares = (total[:-1] / total[-1].detach()).chunk(2)
    variance = (squares - sums.square()).clamp_min(0.0)
    return LayerStatistics(running_mean + sums, variance, running_mean, running_variance, eps)


def _running(layer: nn.Module) -> tuple[Tensor, Tensor, float]:
    assert isinstance(layer, _BATCH_NORMS) and layer.running_mean is not None and layer.running_var is not None
    return layer.running_mean, layer.running_var, layer.eps
