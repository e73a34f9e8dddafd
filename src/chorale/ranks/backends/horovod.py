"""Horovod over MPI: the network is whole on every rank, and gradients are summed in one piece before each step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chorale.ranks.backends.base import OptimizerFactory
from chorale.ranks.backends.single import SingleEngine
from chorale.ranks.config import BackendConfig
from chorale.ranks.group import Group
from chorale.ranks.horovod import join
from chorale.ranks.reduce import add_over_ranks


class HorovodEngine(SingleEngine):
    """See :func:`~chorale.ranks.backends.base.make_engine` for the arguments.

    Not by Horovod's ``DistributedOptimizer``, which begins to sum each gradient as soon as it is there: what it then
    puts into one message depends on time, and from three ranks on the rounding depends on that, so that an interrupted
    training would not end with the same bits. It also counts on every rank computing every gradient. Here all gradients
    go in ONE message, in the order of the parameters, when the first asks for them.

    Sums are fp32, since Horovod refuses bf16.

    Raises:
        MissingExtraError: Horovod is not installed, or was built without MPI.
        WorkError: The ranks are not joined by MPI.
        InputError: This MPI cannot be used by Horovod's thread beside ours.
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
        join(group)
        super().__init__(name, network, optimizer, config, group, device)
        self._are_whole = False

    def zero_grad(self) -> None:
        """Forget the gradients."""
        super().zero_grad()
        self._are_whole = False

    def step(self) -> None:
        """Sum the gradients over ranks, clip to the configured global norm, if any, and let the optimizer step.

        Raises:
            PeerLostError: Another rank has failed.
        """
        self._add_up()
        super().step()
        self._are_whole = False

    def gradients(self) -> dict[str, Tensor]:
        """Return every parameter's whole gradient, summed over ranks; on ALL ranks.

        Raises:
            PeerLostError: Another rank has failed.
        """
        self._add_up()
        return super().gradients()

    def _add_up(self) -> None:
        if self._are_whole:
            return
        parameters = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        parts = [torch.zeros_like(each) if each.grad is None else each.grad for each in parameters]
        # A parameter that no rank has used has no gradient, with which an optimizer does otherwise than with zero.
        used = torch.tensor([each.grad is not None for each in parameters], device=self._device)
        message = torch.cat([part.reshape(-1).float() for part in (*parts, used)])
        add_over_ranks(message)
        *sums, users = torch.split(message, [part.numel() for part in (*parts, used)])
        for parameter, gradient, count in zip(parameters, sums, users.tolist(), strict=True):
            # In the parameter's own order in memory, which a fused optimizer takes for granted.
            parameter.grad = torch.empty_like(parameter).copy_(gradient.view_as(parameter)) if count else None
        self._are_whole = True
