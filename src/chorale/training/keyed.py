"""Random tensors that are functions of a key, the sample's index in the GLOBAL batch, and the place in the sample.

One rank and many draw the same, on a CPU and on a GPU.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

# The multipliers and shifts of SplitMix64 (Steele, Lea and Flood 2014, figure 17), as signed 64-bit integers.
_GOLDEN: Final = 0x9E3779B97F4A7C15 - (1 << 64)
_MIX_1: Final = 0xBF58476D1CE4E5B9 - (1 << 64)
_MIX_2: Final = 0x94D049BB133111EB - (1 << 64)
_MANTISSA_BITS: Final = 24


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


def normal(key: int, first_sample: int, shape: torch.Size, device: torch.device) -> Tensor:
    """Return standard normal numbers ``shape``, a function of key, sample and place (Box and Muller 1958).

    Args:
        key: 63 bits.
        first_sample: Index of the first sample.
        shape: ``(batch, ...)``.
        device: Where to compute; a GPU's logarithm and cosine may differ from a CPU's in the last bit.
    """
    draws = uniform(key, first_sample, torch.Size((shape[0], 2, shape[1:].numel())), device).double()
    # 1 - u is in (0, 1], where the logarithm is finite.
    radius = torch.sqrt(-2.0 * torch.log1p(-draws[:, 0]))
    return (radius * torch.cos(2.0 * math.pi * draws[:, 1])).float().view(shape)


def _mix(state: Tensor) -> Tensor:
    state = (state ^ _shifted(state, 30)) * _MIX_1
    state = (state ^ _shifted(state, 27)) * _MIX_2
    return state ^ _shifted(state, 31)


def _shifted(state: Tensor, by: int) -> Tensor:
    """Shift to the right with zeros, which torch's shift of signed integers does not."""
    return (state >> by) & ((1 << (64 - by)) - 1)
