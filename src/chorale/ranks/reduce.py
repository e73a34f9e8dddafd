"""A sum of tensors over the ranks that train one network together, whichever library has joined them."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from chorale.ranks import horovod


class _SumOverRanks(torch.autograd.Function):
    """Each rank's input counts in every rank's loss, so the gradients are summed over ranks too."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        total = value.clone(memory_format=torch.contiguous_format)
        add_over_ranks(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return sum_over_ranks(gradients[0])


def training_ranks() -> int:
    """Return how many ranks train together; 1 where nothing has joined them for that.

    Clients of a federation are joined by MPI alone, and each trains for itself: they are not counted.
    """
    joined = horovod.joined()
    if joined is not None:
        return int(joined.size())
    return dist.get_world_size() if dist.is_initialized() else 1


def sum_over_ranks(value: Tensor) -> Tensor:
    """Return the sum of ``value`` over ranks, through which gradients flow; called on ALL ranks.

    Raises:
        PeerLostError: Another rank has failed; where torch has joined the ranks, see ``Group.watched``.
    """
    total: Tensor = _SumOverRanks.apply(value)  # type: ignore[no-untyped-call]  # torch gives apply no types
    return total


def add_over_ranks(value: Tensor) -> None:
    """Replace ``value``, contiguous and without gradients, by its sum over ranks; called on ALL ranks.

    Raises:
        PeerLostError: As for :func:`sum_over_ranks`.
    """
    joined = horovod.joined()
    if joined is not None:
        horovod.add_up(joined, value)
    elif dist.is_initialized():
        dist.all_reduce(value)
