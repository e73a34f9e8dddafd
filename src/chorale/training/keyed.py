"""Random tensors that are functions of a key, the sample's index in the GLOBAL batch, and the place in the sample.

One rank and many draw the same, on a CPU and on a GPU.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Words = NDArray[np.uint64]
# The multipliers and shifts of SplitMix64 (Steele, Lea and Flood 2014, figure 17).
_GOLDEN: Final = 0x9E3779B97F4A7C15
_FACTORS: Final = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_SHIFTS: Final = (30, 27)
_LAST_SHIFT: Final = 31
_WORD_BITS: Final = 64
_MANTISSA_BITS: Final = 24


def uniform(key: int, first_sample: int, shape: torch.Size, device: torch.device) -> Tensor:
    """Return numbers in [0, 1) ``shape``, a function of key, sample and place: SplitMix64 over a counter.

    Args:
        key: 63 bits.
        first_sample: Index of the first sample.
        shape: ``(batch, ...)``.
        device: Where to compute; the numbers do not depend on it.
    """
    return _uniform(key, first_sample, shape, device, torch.float32)


def normal(key: int, first_sample: int, shape: torch.Size, device: torch.device) -> Tensor:
    """Return standard normal numbers ``shape``, a function of key, sample and place (Box and Muller 1958).

    Args:
        key: 63 bits.
        first_sample: Index of the first sample.
        shape: ``(batch, ...)``.
        device: Where to compute; a GPU's logarithm and cosine may differ from a CPU's in the last bit.
    """
    pairs = torch.Size((shape[0], 2, shape[1:].numel()))
    first, second = _uniform(key, first_sample, pairs, device, torch.float64).unbind(1)
    # 1 - u is in (0, 1], where the logarithm is finite.
    radius = first.neg().log1p_().mul_(-2.0).sqrt_()
    return (second * (2.0 * math.pi)).cos_().mul_(radius).float().view(shape)


def _uniform(key: int, first_sample: int, shape: torch.Size, device: torch.device, dtype: torch.dtype) -> Tensor:
    places = shape[1:].numel()
    # One sample's numbers begin at its stream, so few that the host is quickest whatever the device.
    samples = np.arange(first_sample, first_sample + shape[0], dtype=np.uint64)
    streams = _mixed(_mixed(samples * np.uint64(_GOLDEN) + np.uint64(key)))
    draw = integers_on_host if device.type == "cpu" else integers_on_device
    # Exact in every type that has as many bits.
    return draw(streams, places, device).to(dtype).mul_(0.5**_MANTISSA_BITS).view(shape)


def integers_on_host(streams: Words, places: int, device: torch.device) -> Tensor:
    """Return integers of 24 bits ``(samples, places)`` by numpy, whose calls cost a fraction of torch's.

    Args:
        streams: ``(samples,)``, where each sample's counter begins.
        places: Numbers of each sample.
        device: Where they are wanted.
    """
    counters = np.arange(1, places + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
    bits = _mixed(streams[:, np.newaxis] + counters) >> np.uint64(_WORD_BITS - _MANTISSA_BITS)
    return torch.from_numpy(bits.view(np.int64)).to(device)


def integers_on_device(streams: Words, places: int, device: torch.device) -> Tensor:
    """Return the same integers, computed on ``device`` by torch; see :func:`integers_on_host` for the arguments."""
    starts = torch.from_numpy(streams.view(np.int64)).to(device)
    counters = torch.arange(1, places + 1, dtype=torch.int64, device=device) * _signed(_GOLDEN)
    state = starts.unsqueeze(1) + counters
    for by, factor in zip(_SHIFTS, _FACTORS, strict=True):
        state.bitwise_xor_(_shifted(state, by)).mul_(_signed(factor))
    state.bitwise_xor_(_shifted(state, _LAST_SHIFT))
    return _shifted(state, _WORD_BITS - _MANTISSA_BITS)


def _mixed(state: Words) -> Words:
    for by, factor in zip(_SHIFTS, _FACTORS, strict=True):
        state = (state ^ (state >> np.uint64(by))) * np.uint64(factor)
    return state ^ (state >> np.uint64(_LAST_SHIFT))


def _shifted(state: Tensor, by: int) -> Tensor:
    """Shift to the right with zeros, which torch's shift of signed integers does not."""
    return (state >> by).bitwise_and_((1 << (_WORD_BITS - by)) - 1)


def _signed(word: int) -> int:
    """Return the number that has these 64 bits as a signed one, for torch multiplies no others."""
    return word - (1 << _WORD_BITS) if word >> (_WORD_BITS - 1) else word
