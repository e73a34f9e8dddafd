"""Small classifiers that look for what a representation should not tell, such as the speaker in mu."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Probe(nn.Module):
    """A classifier of features: how much leaks, and what the confusion and the reversal work against.

    All sizes are our **choice**. A leak is told by a probe that is trained on detached features after all else: one
    that was trained against is not to be believed.

    Args:
        features: Of mu or nu.
        classes: Speakers or emotions.
        width: Of its hidden layer; 0 makes it linear (Alain and Bengio 2016), which finds less.
    """

    def __init__(self, features: int, classes: int, width: int = 256) -> None:
        super().__init__()
        if width:
            self.layers = nn.Sequential(nn.Linear(features, width), nn.ReLU(), nn.Linear(width, classes))
        else:
            self.layers = nn.Sequential(nn.Linear(features, classes))

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(batch, features)`` to logits ``(batch, classes)``."""
        logits: Tensor = self.layers(features)
        return logits


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        # A tensor of its own: what is returned as it came would keep its old gradient.
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.factor * gradients[0], None


def reverse_gradient(values: Tensor, factor: float) -> Tensor:
    """Return ``values`` as they are, whose gradient is multiplied by ``-factor`` (Ganin and Lempitsky 2015, sec. 3).

    Between features and a :class:`Probe`: the probe learns to find, the features to hide, in one step.

    Args:
        values: Of any shape.
        factor: Their lambda; 0 cuts the gradient off.
    """
    reversed_: Tensor = _Reversal.apply(values, factor)  # type: ignore[no-untyped-call]  # torch gives apply no types
    return reversed_
