"""Control variates against client drift: SCAFFOLD (Karimireddy et al. 2020, algorithm 1, option II).

They travel beside the model's tensors under names with a prefix, so that versions, codecs, sums and the ledger treat
them alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
PREFIX = "control/"
"""Of a control variate's name in a message."""


def control_name(name: str) -> str:
    """Return under which name the control variate of a tensor travels."""
    return PREFIX + name


def is_control(name: str) -> bool:
    """Say whether ``name`` is of a control variate."""
    return name.startswith(PREFIX)


def tensor_of(name: str) -> str:
    """Return the tensor that a name of a message is about, whether it is the tensor's own or its control variate's."""
    return name.removeprefix(PREFIX)


def correction(names: Iterable[str], server: Mapping[str, Array], client: Mapping[str, Array]) -> dict[str, Array]:
    """Return ``c - c_i``, which a client adds to each gradient (algorithm 1, line 10).

    Args:
        names: Of the tensors that are trained.
        server: The server's control variates, by tensor.
        client: The client's own; zero where it has none yet.
    """
    return {name: server[name] - client[name] if name in client else server[name].copy() for name in names}


def control_delta(delta: Mapping[str, Array], server: Mapping[str, Array], steps: int, rate: float) -> dict[str, Array]:
    """Return ``c_i+ - c_i = -c + (x - y_i) / (K * rate)`` (algorithm 1, line 12, option II).

    Args:
        delta: ``y_i - x``: what the client's training changed.
        server: ``c``, by tensor.
        steps: ``K``: steps that the client did.
        rate: The client's learning rate.
    """
    scale = 1.0 / (max(steps, 1) * rate)
    return {
        name: (-server[name].astype(np.float64) - scale * change).astype(np.float32) for name, change in delta.items()
    }


def moved_controls(
    server: Mapping[str, Array], mean: Mapping[str, NDArray[np.float64]], answered: int, clients: int
) -> dict[str, Array]:
    """Return ``c + (|S| / N) * mean over S of (c_i+ - c_i)`` (algorithm 1, line 17), of the tensors in ``mean``.

    Args:
        server: ``c``, under the names of control variates, among others.
        mean: Unweighted mean over the clients that answered.
        answered: ``|S|``.
        clients: ``N``: all clients, whether they were asked or not.
    """
    share = answered / clients
    return {
        name: (server[name].astype(np.float64) + share * change).astype(np.float32) for name, change in mean.items()
    }
