"""What the server announces of a round: to each client, and to the ranks that do its work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from chorale.core.errors import WorkError
from chorale.experiments.fedtts.federation.scaffold import is_control, tensor_of
from chorale.experiments.fedtts.network.naming import Depth, exists_at, tensor_group


@dataclass(frozen=True)
class Order:
    """A round, as every client is told of it.

    Attributes:
        round: Counts from 0.
        depth: The layers of its network: this is how a growth is announced.
        groups: Tensor groups that are trained.
        rate: The clients' learning rate.
        fraction_bits: Of the fixed-point sums.
        total_weight: Upper bound of the sum of all weights, against which overflow is checked.
    """

    round: int
    depth: Depth
    groups: tuple[str, ...]
    rate: float
    fraction_bits: int
    total_weight: int

    def facts(self) -> dict[str, JsonValue]:
        """Return the order as small JSON values."""
        return {
            "round": self.round,
            "depth": [list(self.depth.encoder), list(self.depth.decoder)],
            "groups": list(self.groups),
            "rate": self.rate,
            "fraction_bits": self.fraction_bits,
            "total_weight": self.total_weight,
        }

    def downloaded(self, names: Iterable[str]) -> list[str]:
        """Return the tensors that a client needs, control variates of trained tensors included, in their order."""
        trained = set(self.groups)
        return [
            name
            for name in names
            if exists_at(tensor_of(name), self.depth)
            and (not is_control(name) or tensor_group(tensor_of(name)) in trained)
        ]

    def trained(self, names: Iterable[str]) -> list[str]:
        """Return the tensors that a client sends, control variates included, in their order."""
        trained = set(self.groups)
        return [name for name in self.downloaded(names) if tensor_group(tensor_of(name)) in trained]


@dataclass(frozen=True)
class RankOrder:
    """A round, as a rank is told of it.

    Attributes:
        order: What each client is told.
        clients: Those of the rank's that train, with the bytes that each has downloaded.
        secure: With secure aggregation: all clients that have exchanged keys, whether they answer or not.
    """

    order: Order
    clients: Mapping[int, int]
    secure: tuple[int, ...] = ()

    def facts(self) -> dict[str, JsonValue]:
        """Return the order as small JSON values."""
        clients: list[JsonValue] = [[client, size] for client, size in self.clients.items()]
        return {**self.order.facts(), "clients": clients, "secure": list(self.secure)}


def read_rank_order(facts: Mapping[str, Any]) -> RankOrder:
    """Return what ``RankOrder.facts`` told.

    Raises:
        WorkError: Something is missing or of another form.
    """
    try:
        encoder, decoder = facts["depth"]
        order = Order(
            int(facts["round"]),
            Depth(tuple(map(int, encoder)), tuple(map(int, decoder))),
            tuple(map(str, facts["groups"])),
            float(facts["rate"]),
            int(facts["fraction_bits"]),
            int(facts["total_weight"]),
        )
        clients = {int(client): int(size) for client, size in facts["clients"]}
        return RankOrder(order, clients, tuple(map(int, facts["secure"])))
    except (KeyError, TypeError, ValueError) as error:
        raise WorkError(f"a round's order is malformed: {error!r}") from error
