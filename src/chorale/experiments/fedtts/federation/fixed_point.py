"""Sums whose bits do not depend on the order of adding: values become integers first.

Our choice; adding floats in the order in which they arrive, as is common, gives other bits each time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from chorale.core.errors import WorkError
from chorale.experiments.fedtts.federation.codecs import Array

Integers = NDArray[np.int64]
_LARGEST = 2**63 - 1
# Values are turned in blocks that stay in the processor's cache: several passes over one block cost as much as one.
_BLOCK = 1 << 15


def to_fixed(value: Array, weight: int, fraction_bits: int, total_weight: int, name: str = "a tensor") -> Integers:
    """Return rint(value * 2^fraction_bits) * weight as int64, ties to even; exact but for that rounding.

    The error of a weighted mean of such is at most 2^-(fraction_bits + 1), whatever the weights.

    Args:
        value: float32, any shape.
        weight: Of this contribution; an integer, such as mel frames.
        fraction_bits: Binary digits after the point.
        total_weight: An upper bound of the sum of all weights that may be added up with this one. Every contribution
            must be made with the same bound; then no sum of them, in any order, can overflow.
        name: For the error.

    Raises:
        WorkError: A value is not finite, or so large that a sum could overflow.
    """
    flat = _checked(value, weight, fraction_bits, total_weight, name)
    fixed = np.zeros(np.shape(value), np.int64)
    _add_to(fixed, flat, weight, fraction_bits)
    return fixed


class FixedSum:
    """Sums of weighted fixed-point tensors, each with the weight that went into it.

    Args:
        fraction_bits: Of every contribution.

    Attributes:
        sums: By name; wrap around modulo 2^64, so that masks cancel.
        weights: Total weight, by name.
    """

    def __init__(self, fraction_bits: int) -> None:
        self.fraction_bits = fraction_bits
        self.sums: dict[str, Integers] = {}
        self.weights: dict[str, int] = {}

    def __contains__(self, name: str) -> bool:
        return name in self.sums

    def __iter__(self) -> Iterator[str]:
        return iter(self.sums)

    def add(self, name: str, fixed: Integers, weight: int) -> None:
        """Add one contribution; the first one is kept as it is and added into, so it must be the caller's no more.

        Raises:
            WorkError: Its shape is another than that of what was added before.
        """
        self._require_shape(name, fixed.shape)
        known = self.sums.get(name)
        if known is None:
            # What came out of a message is a view of it, and may be read-only.
            is_ours = fixed.flags.owndata and fixed.flags.writeable and fixed.flags.c_contiguous
            self.sums[name], self.weights[name] = fixed if is_ours else fixed.copy(), weight
        else:
            np.add(known, fixed, out=known)
            self.weights[name] += weight

    def add_all(self, tensors: Mapping[str, Array], weight: int, total_weight: int) -> None:
        """Add one client's tensors, as ``to_fixed`` turns them.

        Raises:
            WorkError: A value is not finite or too large, or a shape is another; nothing has been added then.
        """
        flat = {
            name: _checked(value, weight, self.fraction_bits, total_weight, name) for name, value in tensors.items()
        }
        for name, value in tensors.items():
            self._require_shape(name, np.shape(value))
        for name, value in tensors.items():
            if name not in self.sums:
                self.sums[name], self.weights[name] = np.zeros(np.shape(value), np.int64), 0
            _add_to(self.sums[name], flat[name], weight, self.fraction_bits)
            self.weights[name] += weight

    def merge(self, other: FixedSum) -> None:
        """Add what another sum holds.

        Raises:
            WorkError: It has other fraction bits or shapes.
        """
        if other.fraction_bits != self.fraction_bits:
            raise WorkError(f"sums of {other.fraction_bits} and of {self.fraction_bits} fraction bits cannot be added")
        for name, fixed in other.sums.items():
            self.add(name, fixed.copy(), other.weights[name])

    def mean(self, name: str) -> NDArray[np.float64]:
        """Return the weighted mean of a tensor.

        Raises:
            WorkError: Nobody contributed with a weight above zero.
        """
        if self.weights.get(name, 0) <= 0:
            raise WorkError(f"{name}: no client has contributed to its mean")
        # Two roundings of the exact sum, always the same two.
        return self.sums[name] / np.float64(self.weights[name]) * np.float64(2.0**-self.fraction_bits)

    def _require_shape(self, name: str, shape: tuple[int, ...]) -> None:
        if name in self.sums and self.sums[name].shape != shape:
            raise WorkError(f"{name}: shape {shape} cannot be added to {self.sums[name].shape}")


def _checked(value: Array, weight: int, fraction_bits: int, total_weight: int, name: str) -> Array:
    """Return a tensor as a contiguous vector, if all of it fits."""
    if not 0 <= weight <= total_weight:
        raise ValueError(f"weight {weight} is not between 0 and the total of {total_weight}")
    flat: Array = np.asarray(value, np.float32, order="C").reshape(-1)
    largest = max(float(flat.max(initial=0.0)), -float(flat.min(initial=0.0)))
    # Rounding is monotonous, so the largest value tells of all. A comparison with what is not a number is false.
    if not np.rint(largest * 2.0**fraction_bits) <= _float_below(_LARGEST // max(total_weight, 1)):
        if not np.isfinite(flat).all():
            remedy = "a training that diverges wants a smaller rate"
            raise WorkError(f"{name}: holds values that are not finite", remedy)
        raise WorkError(
            f"{name}: {largest:g} with {fraction_bits} fraction bits and weights of {total_weight} overflows 64 bits",
            "lower federation.fraction_bits",
        )
    return flat


def _add_to(total: Integers, flat: Array, weight: int, fraction_bits: int) -> None:
    """Add rint(flat * 2^fraction_bits) * weight to a contiguous tensor."""
    target = total.reshape(-1)
    # float32 times a power of two is exact in float64, and so is every integer below 2^53 that it rounds to; above,
    # the value has no fraction left to round.
    scale = np.float64(2.0**fraction_bits)
    floats, integers = np.empty(_BLOCK, np.float64), np.empty(_BLOCK, np.int64)
    for start in range(0, flat.size, _BLOCK):
        part = flat[start : start + _BLOCK]
        scaled, block = floats[: part.size], integers[: part.size]
        np.multiply(part, scale, out=scaled, dtype=np.float64)
        np.rint(scaled, out=scaled)
        np.copyto(block, scaled, casting="unsafe")
        block *= weight
        target[start : start + _BLOCK] += block


def _float_below(bound: int) -> float:
    """Return the largest float that is not above ``bound``: a plain conversion may round up."""
    nearest = float(bound)
    return nearest if int(nearest) <= bound else math.nextafter(nearest, 0.0)
