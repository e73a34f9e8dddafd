"""Messages between server and clients: one buffer each, no pickle, and nothing believed that was not checked.

Layout, little-endian: 40 bytes (magic, version, kind, lengths of header and payload, CRC-32 of all this and of the
header), the header as canonical JSON, the payload. The header names each tensor with its kind, shape and sizes; the
payload holds their parts one after the other. Header and parts are filled up to multiples of 8 bytes.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from chorale.core.errors import WorkError
from chorale.experiments.fedtts.federation import codecs
from chorale.experiments.fedtts.federation.codecs import EncodedTensor
from chorale.experiments.fedtts.network.naming import tensor_group

VERSION = 1
HEADER = "header"
"""The group under which everything but the tensors is counted."""
_MAGIC = b"CHRL"
# magic, version, kind, length of header, length of payload, checksum
_PREFIX = struct.Struct("<4sH2x16sIxxxxQ")
_CHECKSUM = struct.Struct("<I")
_CHECKSUM_AT = 28
_ALIGNMENT = 8
_KIND_BYTES = 16
_FILLING = np.zeros(_ALIGNMENT, np.uint8)


@dataclass(frozen=True)
class Message:
    """A message that was received.

    Attributes:
        kind: What it is about.
        facts: Small JSON values.
        tensors: By name; their parts are views of the buffer.
        serialised_bytes: Length of the buffer.
    """

    kind: str
    facts: dict[str, Any]
    tensors: dict[str, EncodedTensor]
    serialised_bytes: int


def pack(kind: str, facts: Mapping[str, JsonValue], tensors: Mapping[str, EncodedTensor]) -> NDArray[np.uint8]:
    """Return a message as one contiguous buffer; the tensors' bytes are copied once.

    Args:
        kind: At most 16 ASCII characters; the receiver must expect it.
        facts: Small values; floats must be finite.
        tensors: By name, in the order in which they are sent.
    """
    return np.concatenate(pack_parts(kind, facts, tensors))


def pack_parts(
    kind: str, facts: Mapping[str, JsonValue], tensors: Mapping[str, EncodedTensor]
) -> list[NDArray[np.uint8]]:
    """Return a message as the parts of its buffer, in their order: nothing is copied.

    They are views of the tensors, which must not be changed before they are sent. Arguments as for ``pack``.
    """
    header = _header(facts, tensors)
    payload_bytes = sum(_encoded_bytes(tensor) for tensor in tensors.values())
    parts = [np.frombuffer(_prefix(kind, header, payload_bytes) + header, np.uint8)]
    for tensor in tensors.values():
        for part in tensor.parts:
            parts.append(part)
            if missing := _aligned(part.nbytes) - part.nbytes:
                parts.append(_FILLING[:missing])
    return parts


def unpack(
    buffer: NDArray[np.uint8], expected_kind: str, shapes: Mapping[str, tuple[int, ...]] | None = None
) -> Message:
    """Return the message in ``buffer`` without copying its tensors; ``codecs.decode`` then checks their values.

    Args:
        buffer: Contiguous, at an address that is a multiple of 8.
        expected_kind: Another kind is refused.
        shapes: Names and shapes of the tensors that there may be; not checked if None.

    Raises:
        WorkError: The message is truncated, damaged, of another kind or version, or its tensors are not as expected.
    """
    header, payload_at = _checked_header(buffer, expected_kind)
    try:
        facts: dict[str, Any] = header["facts"]
        entries = [
            (str(name), str(kind), _naturals(shape), _naturals(sizes)) for name, kind, shape, sizes in header["tensors"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise WorkError(f"{expected_kind} message: malformed ({error})") from error
    expected_bytes = sum(_aligned(size) for _, _, _, sizes in entries for size in sizes)
    if payload_at + expected_bytes != buffer.nbytes:
        found = buffer.nbytes - payload_at
        raise WorkError(f"{expected_kind} message: {found} bytes of tensors where {expected_bytes} are declared")
    tensors: dict[str, EncodedTensor] = {}
    for name, kind, shape, sizes in entries:
        parts = []
        for size in sizes:
            parts.append(buffer[payload_at : payload_at + size])
            payload_at += _aligned(size)
        tensor = EncodedTensor(kind, shape, tuple(parts))
        if name in tensors:
            raise WorkError(f"{expected_kind} message: {name} comes twice")
        _check_shape(name, tensor, shapes)
        codecs.check(name, tensor)
        tensors[name] = tensor
    return Message(expected_kind, facts, tensors, buffer.nbytes)


def bytes_by_group(facts: Mapping[str, JsonValue], tensors: Mapping[str, EncodedTensor]) -> dict[str, int]:
    """Return how many bytes of the message belong to each tensor group, without packing it.

    What fills a part up is its group's; prefix and header are ``header``'s. The sum is the length of the buffer.
    """
    return {HEADER: header_bytes(facts, tensors), **payload_by_group(tensors)}


def header_bytes(facts: Mapping[str, JsonValue], tensors: Mapping[str, EncodedTensor]) -> int:
    """Return how many bytes of the message are prefix and header."""
    return _PREFIX.size + len(_header(facts, tensors))


def payload_by_group(tensors: Mapping[str, EncodedTensor]) -> dict[str, int]:
    """Return how many bytes of a message each tensor group takes, what fills its parts up included."""
    sizes: dict[str, int] = {}
    for name, tensor in tensors.items():
        group = tensor_group(name)
        sizes[group] = sizes.get(group, 0) + _encoded_bytes(tensor)
    return sizes


def _header(facts: Mapping[str, JsonValue], tensors: Mapping[str, EncodedTensor]) -> bytes:
    entries = [
        [name, tensor.kind, list(tensor.shape), [part.nbytes for part in tensor.parts]]
        for name, tensor in tensors.items()
    ]
    text = json.dumps(
        {"facts": facts, "tensors": entries}, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode("ascii")
    return text.ljust(_aligned(len(text)))


def _prefix(kind: str, header: bytes, payload_bytes: int) -> bytes:
    label = kind.encode("ascii")
    if not 0 < len(label) <= _KIND_BYTES:
        raise WorkError(f"{kind!r}: a kind of message has 1 to {_KIND_BYTES} characters")
    prefix = bytearray(_PREFIX.pack(_MAGIC, VERSION, label, len(header), payload_bytes))
    _CHECKSUM.pack_into(prefix, _CHECKSUM_AT, _checksum(prefix, header))
    return bytes(prefix)


def _checksum(prefix: bytes | bytearray, header: bytes) -> int:
    """Return the CRC-32 of prefix and header, the prefix's own checksum being zero."""
    blank = bytearray(prefix)
    _CHECKSUM.pack_into(blank, _CHECKSUM_AT, 0)
    return zlib.crc32(header, zlib.crc32(blank))


def _checked_header(buffer: NDArray[np.uint8], expected_kind: str) -> tuple[dict[str, Any], int]:
    """Return the header of a message that is whole, and where its payload starts."""
    if buffer.nbytes < _PREFIX.size:
        raise WorkError(f"{expected_kind} message: truncated, {buffer.nbytes} bytes")
    prefix = buffer[: _PREFIX.size].tobytes()
    magic, version, label, header_bytes, payload_bytes = _PREFIX.unpack(prefix)
    if magic != _MAGIC:
        raise WorkError(f"{expected_kind} message: does not begin like one, but with {magic!r}")
    if version != VERSION:
        raise WorkError(
            f"{expected_kind} message: of version {version}", f"all ranks must run the same program: {VERSION} here"
        )
    payload_at = _PREFIX.size + header_bytes
    if payload_at + payload_bytes != buffer.nbytes:
        wanted = payload_at + payload_bytes
        raise WorkError(f"{expected_kind} message: truncated or too long, {buffer.nbytes} bytes of {wanted}")
    header = buffer[_PREFIX.size : payload_at].tobytes()
    (checksum,) = _CHECKSUM.unpack_from(prefix, _CHECKSUM_AT)
    if checksum != _checksum(prefix, header):
        raise WorkError(f"{expected_kind} message: its header is corrupt, the checksum does not fit")
    kind = label.rstrip(b"\0").decode("ascii", "replace")
    if kind != expected_kind:
        raise WorkError(f"{expected_kind} message: one of kind {kind} came instead")
    try:
        tree = json.loads(header)
    except ValueError as error:
        raise WorkError(f"{expected_kind} message: its header is malformed ({error})") from error
    return tree, payload_at


def _check_shape(name: str, tensor: EncodedTensor, shapes: Mapping[str, tuple[int, ...]] | None) -> None:
    if shapes is None:
        return
    if name not in shapes:
        raise WorkError(f"{name}: there is no such tensor here")
    if tuple(shapes[name]) != tensor.shape:
        raise WorkError(f"{name}: shape {tensor.shape} came where {tuple(shapes[name])} was expected")


def _naturals(values: Any) -> tuple[int, ...]:
    if not isinstance(values, list) or not all(type(value) is int and value >= 0 for value in values):
        raise ValueError(f"{values!r} are not sizes")
    return tuple(values)


def _encoded_bytes(tensor: EncodedTensor) -> int:
    return sum([_aligned(part.nbytes) for part in tensor.parts])


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
