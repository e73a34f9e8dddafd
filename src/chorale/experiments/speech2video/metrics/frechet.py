"""Fréchet distance of two sets of features: FID where they are Inception's (Heusel et al. 2017)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chorale.core.logs import get_logger

Floats = NDArray[np.float64]

_log = get_logger(__name__)


class Gaussian(NamedTuple):
    """What a set of features is summed up to.

    Attributes:
        mean: ``(features,)``.
        covariance: ``(features, features)``.
        samples: How many features it was taken from.
    """

    mean: Floats
    covariance: Floats
    samples: int

    @property
    def full_rank(self) -> bool:
        """Whether there are enough samples for every direction to have a variance."""
        return self.samples > len(self.mean)


def gaussian(features: NDArray[Any]) -> Gaussian:
    """Return mean and covariance, divided by ``samples - 1``.

    Args:
        features: ``(samples, features)``; integers are taken as floats.

    Raises:
        ValueError: Fewer than two samples, or a feature is not a number.
    """
    values = np.asarray(features, np.float64)
    if values.ndim != 2 or len(values) < 2 or not np.isfinite(values).all():
        raise ValueError(f"two or more finite rows (samples, features) were expected, got {values.shape}")
    return Gaussian(values.mean(axis=0), np.atleast_2d(np.cov(values, rowvar=False)), len(values))


def gaussian_distance(first: Gaussian, second: Gaussian) -> float:
    """Return ``|m - m'|² + Tr(C + C' - 2 (C C')^(1/2))`` (Heusel et al. 2017, eq. 6), at least 0.

    The trace of the root is the sum of the roots of the eigenvalues of ``A C' A``, ``A`` the symmetric root of ``C``.
    That matrix is symmetric where ``C C'`` is not: its eigenvalues are real, and none is complex by rounding, as
    happens to a general matrix root where covariances are nearly singular.

    Args:
        first: Of one set.
        second: Of the other.

    Raises:
        ValueError: Numbers of features differ.
    """
    if first.mean.shape != second.mean.shape:
        raise ValueError(f"as many features were expected, got {first.mean.shape} and {second.mean.shape}")
    values, vectors = np.linalg.eigh(first.covariance)
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    middle = root @ second.covariance @ root
    shared = np.sqrt(np.linalg.eigvalsh((middle + middle.T) / 2).clip(min=0)).sum()
    means = float(np.square(first.mean - second.mean).sum())
    spread = float(np.trace(first.covariance) + np.trace(second.covariance) - 2 * shared)
    return max(0.0, means + spread)


def frechet_distance(generated: NDArray[Any], real: NDArray[Any]) -> float:
    """Return the distance of generated features to real ones; a warning is logged where there are few.

    The estimate is too large for few samples, the more so the fewer: figures compare only for equal numbers. Published
    ones take 10,000 and more for Inception's 2048 features.

    Args:
        generated: ``(samples, features)``.
        real: Likewise.

    Raises:
        ValueError: See :func:`gaussian` and :func:`gaussian_distance`.
    """
    first, second = gaussian(generated), gaussian(real)
    for name, one in (("generated", first), ("real", second)):
        if not one.full_rank:
            _log.warning(
                "%d %s samples of %d features: the Fréchet distance is too large", one.samples, name, len(one.mean)
            )
    return gaussian_distance(first, second)
