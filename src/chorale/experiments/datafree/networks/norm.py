"""Which batch normalisation the networks have: of the GLOBAL batch, so that one rank and many compute the same."""

from __future__ import annotations

from typing import Final

from torch import nn

from chorale.ranks.batch_norm import GlobalBatchNorm1d, GlobalBatchNorm2d

_GLOBAL: Final[dict[type[nn.Module], type[nn.Module]]] = {
    nn.BatchNorm1d: GlobalBatchNorm1d,
    nn.BatchNorm2d: GlobalBatchNorm2d,
}


def batch_norm(channels: int, affine: bool = True) -> nn.BatchNorm2d:
    """Return batch normalisation (Ioffe and Szegedy 2015, algorithm 1) of ``(batch, channels, height, width)``.

    Args:
        channels: Each has statistics of its own.
        affine: Whether a learned scale and shift follow.
    """
    return GlobalBatchNorm2d(channels, affine=affine)


def make_global(network: nn.Module) -> None:
    """Let torch's own batch normalisations in a user's network be of the global batch; in one process nothing changes.

    Args:
        network: Its BatchNorm1d and BatchNorm2d, but not classes derived from them, get the other class.
    """
    for module in network.modules():
        # Parameters, buffers, names and hooks stay where they are, as they would not in modules made anew.
        module.__class__ = _GLOBAL.get(type(module), type(module))
