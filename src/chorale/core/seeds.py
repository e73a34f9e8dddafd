"""Random numbers that depend on what they are for, not on when they are drawn."""

from __future__ import annotations

import hashlib

_SEED_BITS = 63


def seed_for(*key: str | int | float) -> int:
    """Return a seed in [0, 2**63) that is a function of ``key`` alone.

    Drawing from ``seed_for(seed, "crop", step, sample)`` gives the same numbers on every host, in every order of
    work and after every restart. Our choice: the first 63 bits of SHA-256 over the parts' representations.
    """
    digest = hashlib.sha256("\x1f".join(repr(part) for part in key).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - _SEED_BITS)
