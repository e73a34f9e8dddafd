"""A client's secrets of one round, and what two clients agree on: X25519, HKDF-SHA256, ChaCha20-Poly1305."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chorale.core.errors import MissingExtraError
from chorale.core.seeds import seed_for

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

KEY_BYTES = 32
TAG_BYTES = 16


@dataclass(frozen=True)
class PublicKeys:
    """What a client advertises.

    Attributes:
        channel: Key under which others encrypt shares for it (``c^PK`` in the paper), 32 bytes.
        masking: Key from which pairwise masks are agreed on (``s^PK``), 32 bytes.
    """

    channel: bytes
    masking: bytes


@dataclass(frozen=True)
class Secrets:
    """What a client never sends in the clear.

    Attributes:
        channel: Private key of the encrypted shares (``c^SK``), 32 bytes.
        masking: Private key of the pairwise masks (``s^SK``), 32 bytes.
        self_seed: Key of the client's own mask (``b``), 32 bytes.
        random_bytes: Source of whatever else the client draws in the round.
    """

    channel: bytes = field(repr=False)
    masking: bytes = field(repr=False)
    self_seed: bytes = field(repr=False)
    random_bytes: Callable[[int], bytes] = field(repr=False)


def draw_secrets(random_bytes: Callable[[int], bytes]) -> Secrets:
    """Draw a client's secrets of a round from a source of uniform bytes."""
    return Secrets(random_bytes(KEY_BYTES), random_bytes(KEY_BYTES), random_bytes(KEY_BYTES), random_bytes)


def keyed_bytes(seed: int, round_: int, client: int) -> Callable[[int], bytes]:
    """Return a source of bytes that is a function of its key alone, so that runs repeat.

    It hides nothing from whoever knows the seed: a deployment draws from :func:`system_bytes`. SHAKE-256 in counter
    mode, our choice.
    """
    key = repr((seed_for(seed, "secure-aggregation", round_, client), seed, round_, client)).encode()
    drawn = 0

    def draw(count: int) -> bytes:
        nonlocal drawn
        drawn += 1
        return hashlib.shake_256(key + drawn.to_bytes(8, "big")).digest(count)

    return draw


def system_bytes(count: int) -> bytes:
    """Return bytes of the system's randomness."""
    return os.urandom(count)


def load_private(private: bytes) -> X25519PrivateKey:
    """Return a private key that is ready for use.

    Raises:
        MissingExtraError: The package cryptography is not installed.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    except ImportError as error:
        raise MissingExtraError("cryptography", "privacy") from error
    return X25519PrivateKey.from_private_bytes(private)


def public_half(private: X25519PrivateKey) -> bytes:
    """Return the public half of an X25519 key (RFC 7748), 32 bytes."""
    return private.public_key().public_bytes_raw()


def shared_secret(private: X25519PrivateKey, public: bytes) -> bytes:
    """Return what two clients alone know: X25519 of one's private and the other's public key, 32 bytes."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

    return private.exchange(X25519PublicKey.from_public_bytes(public))


def derive(shared: bytes, purpose: str) -> bytes:
    """Return a key of 32 bytes for one purpose: HKDF-SHA256 (RFC 5869) without salt."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose.encode()).derive(shared)


def seal(key: bytes, plain: bytes, context: bytes) -> bytes:
    """Encrypt and authenticate (RFC 8439): 16 bytes longer than ``plain``.

    The nonce is constant: a key seals one message (of one round, from one client to one other).
    """
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    return ChaCha20Poly1305(key).encrypt(bytes(12), plain, context)


def unseal(key: bytes, sealed: bytes, context: bytes) -> bytes:
    """Undo :func:`seal`; raises cryptography's InvalidTag if a bit was changed."""
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    return ChaCha20Poly1305(key).decrypt(bytes(12), sealed, context)
