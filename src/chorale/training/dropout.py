"""Dropout whose masks do not depend on how a batch is split between ranks."""

from __future__ import annotations

import random
from typing import Final

import torch
from torch import Tensor, nn

# The multipliers and shifts of SplitMix64 (Steele, Lea and Flood 2014, figure 17), as signed 64-bit integers.
_GOLDEN: Final = 0x9E3779B97F4A7C15 - (1 << 64)
_MIX_1: Final = 0xBF58476D1CE4E5B9 - (1 << 64)
_MIX_2: Final = 0x94D049BB133111EB - (1 << 64)
_MANTISSA_BITS: Final = 24


class SampleDropout(nn.Module):
    """Dropout (Srivastava et al. 2014, with the kept values scaled by 1 / (1 - p)) with a mask for each sample.

    A mask is a function of a key, the sample's index in the GLOBAL batch, and the place in the sample; the key is one
    draw per call from Python's generator, which is the same on every rank. So one rank and many drop the same values,
    on a CPU and on a GPU.

    Args:
        p: Share of values that become 0.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.first_sample = 0

    def forward(self, values: Tensor) -> Tensor:
        """Drop from ``(batch, ...)``, whose first sample is number ``first_sample`` of the global batch."""
        if not self.training or self.p == 0.0:
            return values
        kept = uniform(random.getrandbits(63), self.first_sample, values.shape, values.device) >= self.p
        return values * kept / (1.0 - self.p)

    def extra_repr(self) -> str:
        """Say the share in the module's printed form."""
        return f"p={self.p}"


def place_samples(network: nn.Module, first_sample: int) -> None:
    """Tell every :class:`SampleDropout` in ``network`` which sample of the global batch comes first on this rank."""
    for module in network.modules():
        if isinstance(module, SampleDropout):
            module.first_sample = first_sample


def uniform(key: int, first_sample: int, shape: torch.Size, device: torch.device) -> Tensor:
    """Return numbers in [0, 1) ``shape``, a function of key, sample and place: SplitMix64 over a counter.

    Args:
        key: 63 bits.
        first_sample: Index of the first sample.
        shape: ``(batch, ...)``.
        device: Where to compute; the numbers do not depend on it.
    """
    places = shape[1:].numel()
    samples = torch.arange(first_sample, first_sample + shape[0], dtype=torch.int64, device=device)
    streams = _mix(_mix(samples * _GOLDEN + key))
    counters = torch.arange(1, places + 1, dtype=torch.int64, device=device) * _GOLDEN
    bits = _mix(streams.unsqueeze(1) + counters.unsqueeze(0))
    return (_shifted(bits, 64 - _MANTISSA_BITS).float() / (1 << _MANTISSA_BITS)).view(shape)


def _mix(state: Tensor) -> Tensor:
    state = (state ^ _shifted(state, 30)) * _MIX_1
    state = (state ^ _shifted(state, 27)) * _MIX_2
    return state ^ _shifted(state, 31)


def _shifted(state: Tensor, by: int) -> Tensor:
    """Shift to the right with zeros, which torch's shift of signed integers does not."""
    return (state >> by) & ((1 << (64 - by)) - 1)
