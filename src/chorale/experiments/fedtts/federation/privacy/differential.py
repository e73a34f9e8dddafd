"""Differential privacy of a client's part in a federation: clip, add noise, and say what that guarantees.

Clipping bounds what one client can move; Gaussian noise of ``noise x clip_norm`` hides which way (McMahan et al. 2018,
"Learning differentially private recurrent language models"). Clip what the server adds up, after any lossy codec and
error feedback: both can lengthen an update.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from chorale.core.errors import MissingExtraError
from chorale.core.seeds import seed_for

Array = NDArray[np.float32]

_SHRINK = 1.0 - 2.0**-22
"""Rounding to float32 lengthens a vector by at most 2^-24 of its length; clipped ones stay below the bound."""

_ORDERS = (*range(2, 65), 128, 256, 512, 1024)
"""Renyi orders that are tried: at whole ones the sampled mechanism's divergence is a finite sum."""


def norm(tensors: Mapping[str, Array]) -> float:
    """Return the L2 norm over all values of all tensors."""
    return math.sqrt(sum(float(np.square(value, dtype=np.float64).sum()) for value in tensors.values()))


def clip(tensors: Mapping[str, Array], clip_norm: float) -> dict[str, Array]:
    """Return the tensors scaled down together to an L2 norm of at most ``clip_norm``.

    ``u min(1, C / ||u||)``: McMahan et al. 2018, "flat clipping".
    """
    length = norm(tensors)
    if length <= clip_norm:
        return dict(tensors)
    scale = clip_norm / length * _SHRINK
    return {name: (value * scale).astype(np.float32) for name, value in tensors.items()}


def noise(
    tensors: Mapping[str, Array], std: float, seed: int, round_: int, client: int | None = None
) -> dict[str, Array]:
    """Return the tensors with Gaussian noise, keyed so that runs repeat on every host and in any order.

    A deployment would draw from its system's randomness, and close the gap that float arithmetic leaves in any
    Gaussian noise (Mironov 2012, "On significance of the least significant bits for differential privacy").

    Args:
        tensors: An update, or the mean of the clients'.
        std: Standard deviation of each value's noise; 0 changes nothing.
        seed: Root of the draws.
        round_: The round.
        client: Whose update it is; None for the server's noise.
    """
    if std == 0.0:
        return dict(tensors)
    whose = "server" if client is None else client
    return {
        name: (value + std * _generator(seed, round_, whose, name).standard_normal(value.shape)).astype(np.float32)
        for name, value in tensors.items()
    }


def central_std(noise_multiplier: float, clip_norm: float, clients: int) -> float:
    """Return the deviation of the server's noise on the MEAN of updates: ``z C / n``.

    Args:
        noise_multiplier: z, deviation on the sum divided by ``clip_norm``.
        clip_norm: C, the largest share of one client in the sum.
        clients: n, by which the sum is divided; taken as public.
    """
    return noise_multiplier * clip_norm / clients


def epsilon(rounds: int, sampling_rate: float, noise_multiplier: float, delta: float) -> float:
    """Return epsilon at ``delta`` of central noise over all rounds, for a client's being in the federation or not.

    By dp-accounting: exact where all clients take part, for Gaussian noise of ``rounds`` rounds composes to one of
    ``noise_multiplier / sqrt(rounds)`` (Balle and Wang 2018); else its Renyi accountant's upper bound for Poisson
    samples. A fixed number of clients a round, drawn without replacement, is accounted as if it were such a sample,
    as is usual; that is an approximation.

    Args:
        rounds: Rounds done.
        sampling_rate: Chance of a client to be asked in a round.
        noise_multiplier: Deviation of the noise on the sum divided by the clipping norm.
        delta: In (0, 1).

    Returns:
        Epsilon; infinity without noise, 0 without rounds.

    Raises:
        MissingExtraError: The package dp-accounting is not installed.
    """
    if rounds == 0:
        return 0.0
    if noise_multiplier == 0.0:
        return math.inf
    try:
        import dp_accounting
        from dp_accounting.rdp import RdpAccountant
    except ImportError as error:
        raise MissingExtraError("dp-accounting", "privacy") from error
    if sampling_rate >= 1.0:
        return float(dp_accounting.get_epsilon_gaussian(noise_multiplier / math.sqrt(rounds), delta))
    round_ = dp_accounting.PoissonSampledDpEvent(sampling_rate, dp_accounting.GaussianDpEvent(noise_multiplier))
    accountant = RdpAccountant(_ORDERS)
    accountant.compose(round_, rounds)
    return float(accountant.get_epsilon(delta))


def local_epsilon(rounds: int, noise_multiplier: float, delta: float) -> float:
    """Return epsilon at ``delta`` of each client's own noise, over the rounds in which it took part.

    The server sees each noisy update, so that sampling hides nothing; and two updates below the clipping norm C lie up
    to 2 C apart, which is the sensitivity of replacing one by the other, so that the multiplier counts half.
    """
    return epsilon(rounds, 1.0, noise_multiplier / 2.0, delta)


def _generator(seed: int, round_: int, whose: str | int, name: str) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed_for(seed, "dp-noise", round_, whose, name)))
