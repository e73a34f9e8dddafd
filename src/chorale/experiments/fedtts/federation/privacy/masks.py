"""Masks: keystreams added to vectors modulo 2^64, a piece at a time so that it stays in the cache."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import CipherContext

Words = NDArray[np.uint64]

_PIECE = 1 << 15
"""Words per piece: 256 KiB."""


def add_masks(vector: Words, keys: Iterable[tuple[bytes, int]]) -> None:
    """Add each key's mask to the vector, or take it away, modulo 2^64, in place.

    A mask is the ChaCha20 keystream (RFC 8439) of its key from block 0 with a zero nonce, read as little-endian
    64-bit words: the PRG of Bonawitz et al. 2017, section 3, with R = 2^64. A key must serve one vector only.

    Args:
        vector: ``(n,)`` uint64, contiguous.
        keys: Pairs of a 32-byte key and +1 or -1.
    """
    streams = [(_stream(key), sign) for key, sign in keys]
    zeros = bytes(8 * min(_PIECE, len(vector)))
    # The cipher asks for room of one block beyond what it writes.
    room = bytearray(len(zeros) + 64)
    for start in range(0, len(vector), _PIECE):
        piece = vector[start : start + _PIECE]
        size = 8 * len(piece)
        words = np.frombuffer(room, dtype="<u8", count=len(piece))
        for stream, sign in streams:
            stream.update_into(memoryview(zeros)[:size], room)
            (np.add if sign > 0 else np.subtract)(piece, words, out=piece)


def _stream(key: bytes) -> CipherContext:
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

    return Cipher(ChaCha20(key, bytes(16)), mode=None).encryptor()
