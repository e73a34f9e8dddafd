"""How tensors become bytes and come back: exact, half precision, 8 bits, the largest values only, zstd on top.

All rounding is to nearest, so none is unbiased; each has a bound. What a lossy one leaves out of an update can be sent
later, see ``feedback``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chorale.core.errors import WorkError

if TYPE_CHECKING:
    from chorale.experiments.fedtts.config.federation import CodecConfig

Array = NDArray[np.float32]
Bytes = NDArray[np.uint8]
ZSTD = "+zstd"
"""Ends the kind of a tensor whose bytes are compressed."""
INTEGERS = "int64"
"""Kind of tensors of integers: sums in fixed point, masked vectors."""
ZSTD_LEVEL = 3
"""zstd's own default: higher ones gain little on weights, and cost much time."""
_FP16_LARGEST = 65504.0
_BF16_INFINITY = 0x7F80
_INT8_LARGEST = 127
_SMALLEST_NORMAL = np.float32(np.finfo(np.float32).tiny)
_LARGEST_SCALE = np.nextafter(np.finfo(np.float32).max / np.float32(_INT8_LARGEST), np.float32(0))


@dataclass(frozen=True)
class EncodedTensor:
    """A tensor as it is sent.

    Attributes:
        kind: ``none``, ``fp16``, ``bf16``, ``int8``, ``top-k`` or ``int64``; ``+zstd`` is added if it is compressed.
        shape: Of the tensor.
        parts: Its bytes: one part, or scales and values, or indices and values; one part if compressed.
    """

    kind: str
    shape: tuple[int, ...]
    parts: tuple[Bytes, ...]

    @property
    def size(self) -> int:
        """Number of values of the tensor."""
        return math.prod(self.shape)

    @property
    def dense_bytes(self) -> int:
        """What the tensor takes as plain float32, whatever is sent."""
        return 4 * self.size

    @property
    def payload_bytes(self) -> int:
        """What the encoded tensor takes: values, indices and scales."""
        return sum([part.nbytes for part in self.parts])


def encode(tensors: Mapping[str, Array], codec: CodecConfig) -> dict[str, EncodedTensor]:
    """Return ``tensors`` as they are sent by ``codec``; parts may be views of the tensors.

    Raises:
        WorkError: A lossy codec was given a value that is not finite: rounding would hide it.
    """
    form = _FORMS[codec.kind]
    encoded = {}
    for name, tensor in tensors.items():
        # Not ascontiguousarray, which turns a scalar into a vector.
        values = np.asarray(tensor, np.float32, order="C")
        if codec.kind != "none":
            _require_finite(name, values)
        parts = tuple(_as_bytes(part) for part in form.encode(values, codec.share))
        encoded[name] = _compressed(EncodedTensor(codec.kind, values.shape, parts), codec.lossless)
    return encoded


def decode(encoded: Mapping[str, EncodedTensor], refuse_infinite: bool = True) -> dict[str, Array]:
    """Return the tensors; those of kind ``none`` are views of the bytes, to be copied before they are changed.

    Args:
        encoded: By name.
        refuse_infinite: Whether a value that is not finite is an error; without, whoever takes the values must see to
            it.

    Raises:
        WorkError: Sizes do not fit a shape, an index is out of place, or a value is not finite; names the tensor.
    """
    decoded = {}
    for name, tensor in encoded.items():
        form, parts = _opened(name, tensor)
        if form.is_integer:
            raise WorkError(f"{name}: integers came where values were expected")
        try:
            values: Array = form.decode(parts, tensor.shape)
        except ValueError as error:
            raise WorkError(f"{name}: {error}") from error
        if refuse_infinite:
            _require_finite(name, values)
        decoded[name] = values
    return decoded


def require_finite(encoded: Mapping[str, EncodedTensor]) -> None:
    """Check the values of an answer that was encoded here: only those of kind ``none`` were not looked at then.

    Raises:
        WorkError: A value is not finite; names the tensor.
    """
    decode({name: tensor for name, tensor in encoded.items() if tensor.kind.removesuffix(ZSTD) == "none"})


def encode_integers(values: Mapping[str, NDArray[Any]], lossless: bool = False) -> dict[str, EncodedTensor]:
    """Return int64 or uint64 tensors as they are sent; parts may be views.

    Raises:
        WorkError: A tensor is of another type.
    """
    encoded = {}
    for name, value in values.items():
        if value.dtype not in (np.int64, np.uint64):
            raise WorkError(f"{name}: {value.dtype} where 64-bit integers were expected")
        part = _as_bytes(np.asarray(value, order="C"))
        encoded[name] = _compressed(EncodedTensor(INTEGERS, value.shape, (part,)), lossless)
    return encoded


def decode_integers(encoded: Mapping[str, EncodedTensor]) -> dict[str, NDArray[np.int64]]:
    """Return integers; sent as uint64, ``.view(np.uint64)`` gives them back.

    Raises:
        WorkError: Sizes do not fit a shape, or values came instead; names the tensor.
    """
    decoded = {}
    for name, tensor in encoded.items():
        form, parts = _opened(name, tensor)
        if not form.is_integer:
            raise WorkError(f"{name}: {tensor.kind} came where integers were expected")
        decoded[name] = form.decode(parts, tensor.shape)
    return decoded


def check(name: str, tensor: EncodedTensor) -> None:
    """Check that a tensor's kind is known and that its parts have the sizes that its shape asks for.

    What zstd has compressed is checked when it is decoded.

    Raises:
        WorkError: They do not; names the tensor.
    """
    form = _form(name, tensor)
    if tensor.kind.endswith(ZSTD):
        if len(tensor.parts) != 1:
            raise WorkError(f"{name}: {len(tensor.parts)} compressed parts where one was expected")
        return
    sizes = tuple([part.nbytes for part in tensor.parts])
    if sizes != form.part_bytes(tensor.shape, sum(sizes)):
        raise WorkError(f"{name}: parts of {sizes} bytes do not fit {tensor.kind} of shape {tensor.shape}")


def _fp16_encode(values: Array, share: float) -> tuple[NDArray[Any], ...]:
    """IEEE 754 half precision; what is larger becomes the largest finite, 65504.

    Error: at most 2^-11 of the value where its magnitude is in [2^-14, 65504], at most 2^-25 below.
    """
    return (np.clip(values, -_FP16_LARGEST, _FP16_LARGEST).astype(np.float16),)


def _bf16_encode(values: Array, share: float) -> tuple[NDArray[Any], ...]:
    """The upper half of a float32, rounded to nearest, ties to even; no finite value becomes infinite.

    Error: at most 2^-8 of the value for normal numbers.
    """
    bits = values.view(np.uint32)
    rounded = ((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)).astype(np.uint16)
    # Only a carry out of the largest mantissa gives infinity here: its predecessor is the largest finite value.
    rounded -= (rounded & np.uint16(0x7FFF)) == _BF16_INFINITY
    return (rounded,)


def _bf16_decode(parts: Sequence[Bytes], shape: tuple[int, ...]) -> Array:
    return (parts[0].view(np.uint16).astype(np.uint32) << np.uint32(16)).view(np.float32).reshape(shape)


def _int8_encode(values: Array, share: float) -> tuple[NDArray[Any], ...]:
    """Integers -127 to 127 times a scale per output channel (first axis), or one scale for a vector or scalar.

    scale = max |value| / 127, symmetric, no offset. Error: at most scale / 2, and float32's own rounding.
    """
    rows = _rows(values, _channels(values.shape))
    largest = np.abs(rows).max(axis=1, initial=0.0)
    # Below the smallest normal number a scale would itself be too coarse to keep the bound; rounded up at the other end
    # of the range, it would make 127 steps infinite.
    scales = np.clip(largest / np.float32(_INT8_LARGEST), _SMALLEST_NORMAL, _LARGEST_SCALE)
    scales = np.where(largest > 0, scales, np.float32(0))
    divisors = np.where(scales > 0, scales, np.float32(1))
    quotients = rows / divisors[:, None]
    np.rint(quotients, out=quotients)
    return scales.astype(np.float32), quotients.astype(np.int8)


def _int8_decode(parts: Sequence[Bytes], shape: tuple[int, ...]) -> Array:
    scales, values = parts[0].view(np.float32), parts[1].view(np.int8)
    rows: Array = _rows(values, len(scales)).astype(np.float32)
    rows *= scales[:, None]
    return rows.reshape(shape)


def _top_k_encode(values: Array, share: float) -> tuple[NDArray[Any], ...]:
    """The k values of the largest magnitude as (index, value), k = max(1, round(share * n)); of equals, the first.

    Error: its squared norm is at most (1 - k/n) of the tensor's (Stich et al. 2018, definition 2.1 and lemma A.1).
    """
    flat = values.reshape(-1)
    if flat.size >= 1 << 32:
        raise WorkError(f"{flat.size} values have no 32-bit index", "use another codec for this network")
    kept = min(flat.size, max(1, round(share * flat.size)))
    magnitudes = np.abs(flat)
    if kept < flat.size:
        smallest = np.partition(magnitudes, flat.size - kept)[flat.size - kept]
        # A partition breaks ties as it likes, and not alike on every machine.
        chosen = magnitudes > smallest
        ties = np.flatnonzero(magnitudes == smallest)
        chosen[ties[: kept - np.count_nonzero(chosen)]] = True
        indices = np.flatnonzero(chosen)
    else:
        indices = np.arange(flat.size)
    return indices.astype(np.uint32), flat[indices]


def _top_k_decode(parts: Sequence[Bytes], shape: tuple[int, ...]) -> Array:
    indices, values = parts[0].view(np.uint32), parts[1].view(np.float32)
    flat = np.zeros(math.prod(shape), np.float32)
    if len(indices) and (indices[-1] >= flat.size or np.any(indices[1:] <= indices[:-1])):
        raise ValueError("indices are out of order or beyond the tensor")
    flat[indices] = values
    return flat.reshape(shape)


def _channels(shape: tuple[int, ...]) -> int:
    """Return how many scales a tensor has."""
    return shape[0] if len(shape) >= 2 else 1


def _rows(values: NDArray[Any], channels: int) -> NDArray[Any]:
    return values.reshape(channels, values.size // max(channels, 1))


def _top_k_parts(shape: tuple[int, ...], total: int) -> tuple[int, ...]:
    n = math.prod(shape)
    kept = min(max(total // 8, min(n, 1)), n)
    return (4 * kept, 4 * kept)


@dataclass(frozen=True)
class _Form:
    """One way to send a tensor: to arrays, from bytes, and how long each part must be, given what all have."""

    encode: Callable[[Array, float], tuple[NDArray[Any], ...]]
    decode: Callable[[Sequence[Bytes], tuple[int, ...]], NDArray[Any]]
    part_bytes: Callable[[tuple[int, ...], int], tuple[int, ...]]
    is_integer: bool = False


def _fixed(width: int) -> Callable[[tuple[int, ...], int], tuple[int, ...]]:
    return lambda shape, total: (width * math.prod(shape),)


_FORMS: dict[str, _Form] = {
    "none": _Form(lambda values, share: (values,), lambda parts, s: parts[0].view(np.float32).reshape(s), _fixed(4)),
    "fp16": _Form(_fp16_encode, lambda parts, s: parts[0].view(np.float16).astype(np.float32).reshape(s), _fixed(2)),
    "bf16": _Form(_bf16_encode, _bf16_decode, _fixed(2)),
    "int8": _Form(_int8_encode, _int8_decode, lambda shape, total: (4 * _channels(shape), math.prod(shape))),
    "top-k": _Form(_top_k_encode, _top_k_decode, _top_k_parts),
    INTEGERS: _Form(
        lambda values, share: (values,), lambda parts, s: parts[0].view(np.int64).reshape(s), _fixed(8), True
    ),
}


def _form(name: str, tensor: EncodedTensor) -> _Form:
    kind = tensor.kind.removesuffix(ZSTD)
    if kind not in _FORMS:
        raise WorkError(f"{name}: {tensor.kind!r} is not a kind of tensor")
    return _FORMS[kind]


def _as_bytes(array: NDArray[Any]) -> Bytes:
    return array.reshape(-1).view(np.uint8)


def _compressed(tensor: EncodedTensor, wanted: bool) -> EncodedTensor:
    """Return a tensor with its parts compressed into one; itself if that is not smaller."""
    if not wanted or not tensor.payload_bytes:
        return tensor
    import zstandard

    whole = tensor.parts[0] if len(tensor.parts) == 1 else np.concatenate(tensor.parts)
    frame = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(whole.data)
    if len(frame) >= tensor.payload_bytes:
        return tensor
    return EncodedTensor(tensor.kind + ZSTD, tensor.shape, (np.frombuffer(frame, np.uint8),))


def _opened(name: str, tensor: EncodedTensor) -> tuple[_Form, Sequence[Bytes]]:
    """Return how a tensor is decoded, and its parts as they were before zstd."""
    check(name, tensor)
    form = _form(name, tensor)
    if not tensor.kind.endswith(ZSTD):
        return form, tensor.parts
    import zstandard

    try:
        frame = tensor.parts[0].data
        total = zstandard.frame_content_size(frame)
        sizes = form.part_bytes(tensor.shape, total)
        # A frame that claims more than the shape has room for is not even opened.
        if sum(sizes) != total:
            raise WorkError(f"{name}: {total} compressed bytes do not fit {tensor.kind} of shape {tensor.shape}")
        whole = np.frombuffer(zstandard.ZstdDecompressor().decompress(frame, max_output_size=total), np.uint8)
    except zstandard.ZstdError as error:
        raise WorkError(f"{name}: damaged ({error})") from error
    starts = np.cumsum((0, *sizes))
    return form, [whole[start : start + size] for start, size in zip(starts, sizes, strict=False)]


def _require_finite(name: str, values: Array) -> None:
    flat = values.reshape(-1)
    # One pass without a temporary; only an overflow of the sum itself makes the second one necessary.
    with np.errstate(over="ignore"):
        is_certain = np.isfinite(np.dot(flat, flat))
    if not is_certain and not np.isfinite(flat).all():
        raise WorkError(f"{name}: holds values that are not finite", "a training that diverges wants a smaller rate")
