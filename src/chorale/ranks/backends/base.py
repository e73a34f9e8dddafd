"""What a training backend offers: one engine for each network that has an optimizer of its own.

Losses are sums over a GLOBAL denominator: each rank's loss is its slice's part of the whole batch's, and an engine SUMS
gradients over ranks, where DDP and DeepSpeed by themselves would average. One rank and many then compute the same.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import torch
from torch import Tensor, nn

from chorale.ranks.config import BackendConfig
from chorale.ranks.group import Group

OptimizerFactory = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
"""Makes an optimizer that works element by element (SGD, Adam, AdamW), so that ZeRO may split it anywhere."""


class Engine(ABC):
    """A network and its optimizer on every rank of a group.

    Where several engines work in one process (a generator and its discriminators), call ``requires_grad_(False)`` on
    the discriminator's network during the generator's step: ZeRO takes every gradient that flows for its own.

    Attributes:
        name: Tells engines of one process apart; names the files of a checkpoint.
        network: The bare network; its parameters are whole on every rank except under ZeRO-3.
        module: What to call for the forward pass.

    Args:
        name: Letters, digits and hyphens; another for each engine of a process.
        network: Moved to ``device``.
        config: Which backend, and how.
        group: The ranks.
        device: This rank's.
    """

    def __init__(
        self, name: str, network: nn.Module, config: BackendConfig, group: Group, device: torch.device
    ) -> None:
        self.name = name
        self.network = placed(network, config, device)
        self.module: nn.Module = self.network
        self._config, self._group, self._device = config, group, device

    @abstractmethod
    def autocast(self) -> AbstractContextManager[object]:
        """Return the context for forward pass and loss that gives the precision of the configuration."""

    @abstractmethod
    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the next step."""

    @abstractmethod
    def zero_grad(self) -> None:
        """Forget the gradients."""

    @abstractmethod
    def backward(self, loss: Tensor) -> None:
        """Compute gradients of the sum over ranks of ``loss``, a scalar: this slice's part of the global loss."""

    @abstractmethod
    def step(self) -> None:
        """Clip to the configured global norm, if any, and let the optimizer step."""

    @abstractmethod
    def gradients(self) -> dict[str, Tensor]:
        """Return every parameter's whole gradient, summed over ranks; between backward and step, on ALL ranks."""

    @abstractmethod
    def save(self, directory: Path) -> list[Path]:
        """Write network and optimizer, called on ALL ranks; return the files that this rank wrote."""

    @abstractmethod
    def load(self, directory: Path, world_size: int) -> None:
        """Read what :meth:`save` wrote with ``world_size`` ranks; called on ALL ranks.

        Raises:
            InputError: The files belong to another user, or others may write them.
        """

    @abstractmethod
    def full_state(self) -> dict[str, Tensor]:
        """Return the network's whole state in memory of the CPU; called on ALL ranks."""

    def begin_anew(self, state: Mapping[str, Tensor]) -> None:
        """Take other weights, and forget what the optimizer has gathered; called on ALL ranks with the same weights.

        Args:
            state: The network's whole state.

        Raises:
            NotImplementedError: This backend cannot; DeepSpeed keeps its optimizer's state in parts.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot begin anew")

    def parameters_hash(self) -> str:
        """Return the SHA-256 of the network's whole state, 64 hexadecimal digits; called on ALL ranks."""
        return hash_state(self.full_state())


def placed(network: nn.Module, config: BackendConfig, device: torch.device) -> nn.Module:
    """Return the network on ``device``, its weights in the configured order in memory.

    Args:
        network: An engine's, or one that is asked and not trained; changed in place.
        config: Says which order.
        device: This rank's.
    """
    if config.channels_last:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch forgets this form
    return network.to(device)


def hash_state(state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 over name, type, shape and bytes of every tensor, in order of name."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def make_engine(
    name: str,
    network: nn.Module,
    optimizer: OptimizerFactory,
    config: BackendConfig,
    group: Group,
    device: torch.device,
) -> Engine:
    """Return an engine of the configured kind; called on ALL ranks with the same weights.

    Args:
        name: Letters, digits and hyphens; another for each engine of a process.
        network: Moved to ``device``.
        optimizer: Makes the optimizer from the parameters.
        config: Which backend, and how.
        group: The ranks.
        device: This rank's.

    Raises:
        MissingExtraError: The backend is not installed.
        InputError: One process was asked for, and the group has more.
    """
    if config.kind == "deepspeed":
        from chorale.ranks.backends.deepspeed import DeepSpeedEngine

        return DeepSpeedEngine(name, network, optimizer, config, group, device)
    from chorale.ranks.backends.single import SingleEngine

    if config.kind == "ddp" and group.size > 1:
        from chorale.ranks.backends.ddp import DdpEngine

        return DdpEngine(name, network, optimizer, config, group, device)
    if config.kind == "horovod" and group.size > 1:
        from chorale.ranks.backends.horovod import HorovodEngine

        return HorovodEngine(name, network, optimizer, config, group, device)
    return SingleEngine(name, network, optimizer, config, group, device)
