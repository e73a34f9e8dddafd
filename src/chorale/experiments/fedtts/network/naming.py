"""What the network's tensors are called, and which layers exist. No heavy imports: the federation loads this."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Literal, NamedTuple

from chorale.experiments.fedtts.config.network import NetworkConfig

StackName = Literal["encoder", "decoder"]
STACKS: tuple[StackName, ...] = ("encoder", "decoder")
"""The two stacks of layers."""


class Depth(NamedTuple):
    """The layers that exist.

    Attributes:
        encoder: Ids of the encoder's layers, rising; each below the full depth.
        decoder: Likewise of the decoder's.
    """

    encoder: tuple[int, ...]
    decoder: tuple[int, ...]

    def of(self, stack: StackName) -> tuple[int, ...]:
        """Return the ids of one stack's layers."""
        return self.encoder if stack == "encoder" else self.decoder


class LayerName(NamedTuple):
    """Where a tensor of a layer stands.

    Attributes:
        stack: The stack.
        layer: The layer's id.
        rest: The tensor's name within the layer.
    """

    stack: StackName
    layer: int
    rest: str

    @property
    def full(self) -> str:
        """The tensor's whole name."""
        return f"{self.stack}.layers.{self.layer}.{self.rest}"


def full_depth(network: NetworkConfig) -> Depth:
    """Return every layer of the network."""
    return Depth(tuple(range(network.encoder_layers)), tuple(range(network.decoder_layers)))


# These are asked for every tensor of every message, and there are few names.
@cache
def layer_name(name: str) -> LayerName | None:
    """Take a tensor's name apart; None if it belongs to no layer of the encoder or decoder."""
    for stack in STACKS:
        prefix = f"{stack}.layers."
        if name.startswith(prefix):
            layer, _, rest = name.removeprefix(prefix).partition(".")
            return LayerName(stack, int(layer), rest)
    return None


@cache
def tensor_group(name: str) -> str:
    """Return the group that a tensor's bytes are counted with: a layer such as ``encoder.layers.2``, else the part."""
    found = layer_name(name)
    return name.partition(".")[0] if found is None else f"{found.stack}.layers.{found.layer}"


@cache
def exists_at(name: str, depth: Depth) -> bool:
    """Say whether a tensor is part of the network of that depth."""
    found = layer_name(name)
    return found is None or found.layer in depth.of(found.stack)


def names_at(names: Iterable[str], depth: Depth) -> list[str]:
    """Return those of ``names`` that are part of the network of that depth, in their order."""
    return [name for name in names if exists_at(name, depth)]
