"""A sum of tensors over the ranks that train one network together, whichever library joined them."""

from __future__ import annotations

import sys
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


class _SumOverRanks(torch.autograd.Function):
    """Each rank's input counts in every rank's loss, so the gradients are summed over ranks too."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        return total_over_ranks(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return sum_over_ranks(gradients[0])


def training_ranks() -> int:
    """Return how many ranks train together; 1 where nothing has joined them for that.

    Clients of a federation are joined by MPI and train each for itself: they are not counted.
    """
    horovod = _horovod()
    if horovod is not None:
        return int(horovod.size())
    return dist.get_world_size() if dist.is_initialized() else 1


def sum_over_ranks(value: Tensor) -> Tensor:
    """Return the sum of ``value`` over ranks, through which gradients flow; on ALL ranks."""
    total: Tensor = _SumOverRanks.apply(value)  # type: ignore[no-untyped-call]  # torch gives apply no types
    return total


def total_over_ranks(value: Tensor) -> Tensor:
    """Return the sum of ``value`` over ranks, without gradients; on ALL ranks."""
    total = value.detach().clone(memory_format=torch.contiguous_format)
    horovod = _horovod()
    if horovod is not None:
        horovod.allreduce_(total, op=horovod.Sum, name="chorale.total")
    elif dist.is_initialized():
        dist.all_reduce(total)
    return total


def _horovod() -> Any:
    """Return Horovod's module if it has joined the ranks; whoever has not begun with it need not have it installed."""
    module = sys.modules.get("horovod.torch")
    return module if module is not None and module.is_initialized() else None
