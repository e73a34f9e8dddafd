"""Agreement of pre-activations inside student and teacher: the activation regularizer, and its control."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def activation_boundary(students: Sequence[Tensor], teachers: Sequence[Tensor], margin: float) -> Tensor:
    """Return ``Σ_l w_l Σ_i mean_n ρ(s_lin, t_lin)`` with ``w_l`` 1 at the deepest tap and halved at each before it.

    ``ρ(s, t) = [s <= m] (s - m)²`` where t > 0, else ``[s > -m] (s + m)²`` (Heo et al. 2019, the differentiable
    alternative of their activation transfer loss; margin and halving as in their code). The teacher counts by its signs
    alone, so no gradient flows to it. Our choice: the mean over a tap's neurons, where their code sums and divides by a
    constant, so that the weight of this loss does not depend on the network's size. That data-free distillation takes
    this loss for its activation regularizer is our choice too. To be divided by the images of the global batch.

    Args:
        students: Pre-activations, shallow to deep, each ``(batch, ...)``, of the teacher's shape (through
            :class:`~chorale.experiments.datafree.networks.connectors.Connectors`).
        teachers: Likewise.
        margin: m.
    """
    return _over_depths([_boundary(*pair, margin) for pair in zip(students, teachers, strict=True)])


def feature_l2(students: Sequence[Tensor], teachers: Sequence[Tensor]) -> Tensor:
    """Return ``Σ_l w_l Σ_i mean_n (s_lin - t_lin)²``: values are matched, not boundaries. The regularizer's control.

    After Romero et al. 2015 ("FitNets", hints), at the taps and with the depth weights of
    :func:`activation_boundary`, whose arguments these are. To be divided by the images of the global batch.
    """
    pairs = zip(students, teachers, strict=True)
    return _over_depths([_per_sample((ours.float() - theirs.float()).square()) for ours, theirs in pairs])


def depth_weights(taps: int) -> list[float]:
    """Return ``2^-(distance to the deepest)`` for each tap, shallow to deep."""
    return [0.5**distance for distance in reversed(range(taps))]


def _boundary(student: Tensor, teacher: Tensor, margin: float) -> Tensor:
    ours = student.float()
    short = torch.where(teacher > 0, margin - ours, ours + margin)
    return _per_sample(short.clamp_min(0.0).square())


def _per_sample(values: Tensor) -> Tensor:
    return values.flatten(1).mean(dim=1).sum()


def _over_depths(losses: Sequence[Tensor]) -> Tensor:
    weights = depth_weights(len(losses))
    return torch.stack([weight * loss for weight, loss in zip(weights, losses, strict=True)]).sum()
