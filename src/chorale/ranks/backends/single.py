"""One process: torch alone. What DDP does besides is in ``ddp.py``."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import torch
from torch import Tensor, nn

from chorale.core.errors import InputError
from chorale.ranks.backends.base import Engine, OptimizerFactory
from chorale.ranks.config import BackendConfig
from chorale.ranks.group import Group


class SingleEngine(Engine):
    """See :func:`~chorale.ranks.backends.base.make_engine` for the arguments.

    Raises:
        InputError: The group has more than one process.
    """

    def __init__(
        self,
        name: str,
        network: nn.Module,
        optimizer: OptimizerFactory,
        config: BackendConfig,
        group: Group,
        device: torch.device,
    ) -> None:
        if config.kind == "single" and group.size > 1:
            raise InputError(f"backend.kind: single is one process, and {group.size} were started", "set it to ddp")
        super().__init__(name, network, config, group, device)
        self._optimizer = optimizer(self.network.parameters())

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context for forward pass and loss that gives the precision of the configuration."""
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self._config.precision == "bf16")

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the next step."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self._optimizer.zero_grad(set_to_none=True)

    def backward(self, loss: Tensor) -> None:
        """Compute gradients of the sum over ranks of ``loss``."""
        torch.autograd.backward(loss)

    def step(self) -> None:
        """Clip to the configured global norm, if any, and let the optimizer step."""
        if self._config.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self._config.clip_norm)
        self._optimizer.step()

    def gradients(self) -> dict[str, Tensor]:
        """Return every parameter's gradient."""
        return {
            name: parameter.grad.detach().cpu().clone()
            for name, parameter in self.network.named_parameters()
            if parameter.grad is not None
        }

    def save(self, directory: Path) -> list[Path]:
        """Write network and optimizer on rank 0, since all ranks have the same; return the files written here."""
        if self._group.rank != 0:
            return []
        path = directory / f"{self.name}.pt"
        torch.save({"network": self.network.state_dict(), "optimizer": self._optimizer.state_dict()}, path)
        return [path]

    def load(self, directory: Path, world_size: int) -> None:
        """Read what :meth:`save` wrote, whatever the number of ranks."""
        state = torch.load(directory / f"{self.name}.pt", map_location=self._device, weights_only=True)
        self.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])

    def begin_anew(self, state: Mapping[str, Tensor]) -> None:
        """Take other weights, and forget what the optimizer has gathered."""
        self.network.load_state_dict(dict(state))
        self._optimizer.state.clear()

    def full_state(self) -> dict[str, Tensor]:
        """Return the network's state in memory of the CPU."""
        return {name: tensor.detach().cpu() for name, tensor in self.network.state_dict().items()}
