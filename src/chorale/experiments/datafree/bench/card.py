"""What a GPU gives: images per second by precision, and the share of its own rate of matrix products."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Literal

import torch
from torch.utils.flop_counter import FlopCounterMode

from chorale.experiments.datafree.bench.clock import seconds_of, stats
from chorale.experiments.datafree.bench.work import Distillation, Work

_PRECISIONS: Final[tuple[Literal["fp32", "bf16"], ...]] = ("fp32", "bf16")
# Large enough to be bound by arithmetic on any GPU of today; 0.4 GB in all.
_PRODUCT_SIZE = 8192


def measure_card(work: Work, device: torch.device, rounds: int, repeats: int) -> dict[str, Any]:
    """Return what the distillation reaches, by precision, its networks' memory in the order ``channels_last``.

    Args:
        work: Networks and batch.
        device: A GPU.
        rounds: In a repeat; one more before all is left out.
        repeats: Each gives a rate.

    Returns:
        ``product_flop_per_s``: of matrix products in bf16, of which all shares are; ``precisions``: by name
        ``images_per_s``, ``flop_per_s`` and ``share`` of the former, median and extremes each.
    """
    peak = product_rate(device, _PRODUCT_SIZE, repeats)
    found: dict[str, Any] = {}
    for precision in _PRECISIONS:
        loop = Distillation(work, device, precision, channels_last=True)
        # Counting is the warm-up too.
        flops = flops_of(loop.round)
        spent_s = [seconds_of(partial(_do, loop, rounds), device) for _ in range(repeats)]
        rates = [rounds * flops / seconds for seconds in spent_s]
        found[precision] = {
            "images_per_s": stats([rounds * loop.images_per_round / seconds for seconds in spent_s]),
            "flop_per_s": stats(rates),
            "share": stats([rate / peak for rate in rates]),
        }
    return {"product_flop_per_s": peak, "precisions": found}


def _do(loop: Distillation, rounds: int) -> None:
    for _ in range(rounds):
        loop.round()


def product_rate(device: torch.device, size: int, repeats: int) -> float:
    """Return the median rate of products of two square matrices in bf16, in floating point operations per second.

    Args:
        device: Where they are computed.
        size: Rows and columns.
        repeats: Products that count; one more before them does not.
    """
    left, right = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    spent_s = [seconds_of(lambda: left @ right, device) for _ in range(repeats + 1)]
    return 2 * size**3 / statistics.median(spent_s[1:])


def flops_of(work: Callable[[], object]) -> int:
    """Return the floating point operations of ``work`` in matrix products and convolutions, backward passes too.

    A multiplication and an addition are two, as in :func:`product_rate`.
    """
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())
