"""Shamir's secret sharing of 32-byte secrets: any ``threshold`` shares give the secret, fewer tell nothing of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from chorale.core.errors import WorkError

PRIME = 2**256 + 297
"""The smallest prime above 2^256, so that every 32-byte secret is an element of the field."""
SECRET_BYTES = 32
SHARE_BYTES = 33
"""A share is one element of the field; its point is known from whose share it is."""


def split(secret: bytes, threshold: int, points: Sequence[int], random_bytes: Callable[[int], bytes]) -> dict[int, int]:
    """Return a share for each point: a random polynomial of degree ``threshold - 1`` through the secret at 0.

    Shamir 1979: ``q(x) = secret + a_1 x + ... + a_(t-1) x^(t-1) mod p``, the share of point x being q(x).

    Args:
        secret: 32 bytes, read as a big-endian number.
        threshold: Shares that give the secret back, at least 1.
        points: Distinct numbers in [1, p), at least ``threshold`` of them.
        random_bytes: Source of uniform bytes, called with a number of bytes.

    Raises:
        WorkError: The threshold or a point is out of range.
    """
    if len(secret) != SECRET_BYTES:
        raise WorkError(f"secret sharing: a secret of {len(secret)} bytes, where {SECRET_BYTES} were expected")
    if not 1 <= threshold <= len(points):
        raise WorkError(f"secret sharing: a threshold of {threshold} among {len(points)} holders")
    if len(set(points)) != len(points) or not all(1 <= point < PRIME for point in points):
        raise WorkError("secret sharing: points are distinct numbers above 0")
    # 16 bytes more than the field has: the remainder is uniform to within 2^-120.
    draws = (int.from_bytes(random_bytes(SHARE_BYTES + 16), "big") % PRIME for _ in range(threshold - 1))
    coefficients = [int.from_bytes(secret, "big"), *draws]
    return {point: _value_at(coefficients, point) for point in points}


def weights_at_zero(points: Sequence[int]) -> list[int]:
    """Return Lagrange's weights of the points for the value at 0: ``prod over j != i of x_j / (x_j - x_i) mod p``.

    They depend on the points alone, so that many secrets shared among the same holders need them once.

    Raises:
        WorkError: A point occurs twice.
    """
    if len(set(points)) != len(points):
        raise WorkError("secret sharing: two shares of one point")
    weights = []
    for point in points:
        numerator, denominator = 1, 1
        for other in points:
            if other != point:
                numerator = numerator * other % PRIME
                denominator = denominator * (other - point) % PRIME
        weights.append(numerator * pow(denominator, -1, PRIME) % PRIME)
    return weights


def join(shares: Mapping[int, int], threshold: int) -> bytes:
    """Return the secret that was split.

    Args:
        shares: Point to share; the first ``threshold`` of them are used.
        threshold: As it was split with.

    Raises:
        WorkError: There are fewer shares than the threshold, or they do not belong together.
    """
    if len(shares) < threshold:
        raise WorkError(f"secret sharing: {len(shares)} shares, where {threshold} are needed")
    points = list(shares)[:threshold]
    return combine([shares[point] for point in points], weights_at_zero(points))


def combine(values: Sequence[int], weights: Sequence[int]) -> bytes:
    """Return the secret of shares whose points have these weights (see :func:`weights_at_zero`).

    Raises:
        WorkError: The result is no 32-byte secret: a share is wrong, or of another secret.
    """
    value = sum(share * weight for share, weight in zip(values, weights, strict=True)) % PRIME
    if value >> (8 * SECRET_BYTES):
        raise WorkError("secret sharing: the shares do not belong together")
    return value.to_bytes(SECRET_BYTES, "big")


def _value_at(coefficients: Sequence[int], point: int) -> int:
    value = 0
    for coefficient in reversed(coefficients):
        value = (value * point + coefficient) % PRIME
    return value
