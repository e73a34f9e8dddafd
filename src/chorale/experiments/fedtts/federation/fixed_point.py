"""Sums whose bits do not depend on the order of adding: values become integers first.

Our choice; adding floats in the order in which they arrive, as is common, gives other bits each time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chorale.core.errors import WorkError
from chorale.experiments.fedtts.federation.codecs import Array
from chorale.ranks.buffers import Buffers

Integers = NDArray[np.int64]
_LARGEST = 2**63 - 1
_SUM_BYTES = 8
# Values are turned in blocks that stay in the processor's cache: several passes over one block cost as much as one.
_BLOCK = 1 << 15
# Two answers, or more if they are small, wait and are added up together: a block of the sum is then read and written
# once for all of them.
_WAITING_BYTES = 1 << 25
# An integer below 2^51 in magnitude plus this number has a float64's last binary digit for its unit, so that the
# difference of the bits is the integer: quicker than the processor's own conversion.
_SHIFT = np.float64(1.5 * 2.0**52)
_SHIFT_BITS = _SHIFT.view(np.int64)
_SHIFT_FROM = 2**51


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
    addend = _checked(value, weight, fraction_bits, total_weight, name)
    return _Adder(fraction_bits).sum(np.empty(np.shape(value), np.int64), [addend])


class FixedSum:
    """Sums of weighted fixed-point tensors, each with the weight that went into it.

    Args:
        fraction_bits: Of every contribution.
        memory: Where the sums lie; it is used again by the next one that is given it.

    Attributes:
        weights: Total weight, by name.
    """

    def __init__(self, fraction_bits: int, memory: Buffers | None = None) -> None:
        self.fraction_bits = fraction_bits
        self._memory = memory or Buffers()
        self.weights: dict[str, int] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._sums: dict[str, Integers] = {}
        self._waiting: dict[str, list[_Addend]] = {}
        self._waiting_bytes = 0

    @property
    def sums(self) -> dict[str, Integers]:
        """By name; they wrap around modulo 2^64, so that masks cancel."""
        self.settle()
        return self._sums

    def __contains__(self, name: str) -> bool:
        return name in self.weights

    def __iter__(self) -> Iterator[str]:
        return iter(self.weights)

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
            self._sums[name], self.weights[name] = fixed if is_ours else fixed.copy(), weight
            self._shapes[name] = fixed.shape
        else:
            np.add(known, fixed, out=known)
            self.weights[name] += weight

    def add_all(self, tensors: Mapping[str, Array], weight: int, total_weight: int) -> None:
        """Add one client's tensors, as ``to_fixed`` turns them; they must not be changed before the sum is read.

        Raises:
            WorkError: A value is not finite or too large, or a shape is another; nothing has been added then.
        """
        addends = {
            name: _checked(value, weight, self.fraction_bits, total_weight, name) for name, value in tensors.items()
        }
        for name, value in tensors.items():
            self._require_shape(name, np.shape(value))
        for name, addend in addends.items():
            self._shapes[name] = np.shape(tensors[name])
            self._waiting.setdefault(name, []).append(addend)
            self.weights[name] = self.weights.get(name, 0) + weight
        n_bytes = sum(addend.flat.nbytes for addend in addends.values())
        self._waiting_bytes += n_bytes
        if self._waiting_bytes >= max(2 * n_bytes, _WAITING_BYTES):
            self.settle()

    def settle(self) -> None:
        """Add up what waits to be added together with more."""
        if not self._waiting:
            return
        adder = _Adder(self.fraction_bits)
        fresh = self._laid_out([name for name in self._waiting if name not in self._sums])
        for name, addends in self._waiting.items():
            if name in self._sums:
                adder.add(self._sums[name], addends)
            else:
                self._sums[name] = adder.sum(fresh[name], addends)
        self._waiting, self._waiting_bytes = {}, 0

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
        # Two roundings of the exact sum, always the same two: to float64, and of the quotient.
        mean: NDArray[np.float64] = self.sums[name] / np.float64(self.weights[name] * 2.0**self.fraction_bits)
        return np.asarray(mean)

    def _laid_out(self, names: Sequence[str]) -> dict[str, Integers]:
        """Return tensors with anything in them, in one piece of memory."""
        sizes = [math.prod(self._shapes[name]) for name in names]
        whole = self._memory.take(_SUM_BYTES * sum(sizes)).view(np.int64)
        parts = np.split(whole, np.cumsum(sizes)[:-1])
        return (
            {name: part.reshape(self._shapes[name]) for name, part in zip(names, parts, strict=True)} if names else {}
        )

    def _require_shape(self, name: str, shape: tuple[int, ...]) -> None:
        if self._shapes.get(name, shape) != shape:
            raise WorkError(f"{name}: shape {shape} cannot be added to {self._shapes[name]}")


class _Addend(NamedTuple):
    """A tensor that has been checked.

    Attributes:
        flat: As a contiguous vector.
        weight: With which it counts.
        largest: The largest magnitude of its values in fixed point, the weight left out.
    """

    flat: Array
    weight: int
    largest: int


def _checked(value: Array, weight: int, fraction_bits: int, total_weight: int, name: str) -> _Addend:
    """Return a tensor as it is added, if all of it fits."""
    if not 0 <= weight <= total_weight:
        raise ValueError(f"weight {weight} is not between 0 and the total of {total_weight}")
    flat: Array = np.asarray(value, np.float32, order="C").reshape(-1)
    largest = max(float(np.maximum.reduce(flat, initial=0.0)), -float(np.minimum.reduce(flat, initial=0.0)))
    # Rounding is monotonous, so the largest value tells of all. A comparison with what is not a number is false.
    rounded = np.rint(largest * 2.0**fraction_bits)
    if not rounded <= _float_below(_LARGEST // max(total_weight, 1)):
        if not np.isfinite(flat).all():
            remedy = "a training that diverges wants a smaller rate"
            raise WorkError(f"{name}: holds values that are not finite", remedy)
        raise WorkError(
            f"{name}: {largest:g} with {fraction_bits} fraction bits and weights of {total_weight} overflows 64 bits",
            "lower federation.fraction_bits",
        )
    return _Addend(flat, weight, int(rounded))


class _Adder:
    """Adds tensors up, block by block.

    Args:
        fraction_bits: Of the sums.
    """

    def __init__(self, fraction_bits: int) -> None:
        self._scale = 2.0**fraction_bits
        self._singles = np.empty(_BLOCK, np.float32)
        self._doubles, self._sums = np.empty(_BLOCK, np.float64), np.empty(_BLOCK, np.float64)

    def add(self, total: Integers, addends: Sequence[_Addend]) -> None:
        """Add rint(value * 2^fraction_bits) * weight of each addend to a contiguous tensor."""
        for block, integers in self._blocks(total, addends):
            np.add(block, integers, out=block)

    def sum(self, total: Integers, addends: Sequence[_Addend]) -> Integers:
        """Make a contiguous tensor the sum of the addends: quicker than to fill it with zeros and add to it."""
        for block, integers in self._blocks(total, addends):
            np.copyto(block, integers)
        return total

    def _blocks(self, total: Integers, addends: Sequence[_Addend]) -> Iterator[tuple[Integers, Integers]]:
        """Yield each block of a tensor, and the addends' sum there, which the next one overwrites."""
        target = total.reshape(-1)
        weights = [addend.weight for addend in addends]
        # No sum of some of them is larger than that of all magnitudes, so that all are exact as float64.
        are_small = sum(addend.weight * addend.largest for addend in addends) < _SHIFT_FROM
        add_up = self._small if are_small else self._large
        for start in range(0, target.size, _BLOCK):
            end = start + _BLOCK
            yield target[start:end], add_up([addend.flat[start:end] for addend in addends], weights)

    def _small(self, parts: Sequence[Array], weights: Sequence[int]) -> Integers:
        """Return the weighted sum of a block, by way of float64."""
        size = parts[0].size
        single, double, total = self._singles[:size], self._doubles[:size], self._sums[:size]
        scale = np.float32(self._scale)
        for number, (part, weight) in enumerate(zip(parts, weights, strict=True)):
            # A power of two changes no digit, and from 2^23 on float32 holds whole numbers only: rounded as exactly as
            # in float64, at half the cost.
            np.multiply(part, scale, out=single)
            np.rint(single, out=single)
            weighted = double if number else total
            np.copyto(weighted, single)
            np.multiply(weighted, weight, out=weighted)
            if number:
                np.add(total, double, out=total)
        np.add(total, _SHIFT, out=total)
        integers = total.view(np.int64)
        return np.subtract(integers, _SHIFT_BITS, out=integers)

    def _large(self, parts: Sequence[Array], weights: Sequence[int]) -> Integers:
        """Return the weighted sum of a block, by way of int64, which wraps around."""
        size = parts[0].size
        double, integers = self._doubles[:size], np.zeros(size, np.int64)
        for part, weight in zip(parts, weights, strict=True):
            # float32 times a power of two is exact in float64, and so is every integer below 2^53 that it rounds to;
            # above, the value has no fraction left to round.
            np.multiply(part, self._scale, out=double, dtype=np.float64)
            np.rint(double, out=double)
            whole = double.astype(np.int64)
            whole *= weight
            integers += whole
        return integers


def _float_below(bound: int) -> float:
    """Return the largest float that is not above ``bound``: a plain conversion may round up."""
    nearest = float(bound)
    return nearest if int(nearest) <= bound else math.nextafter(nearest, 0.0)
