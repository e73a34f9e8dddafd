"""Which layers exist in a round, and what a new layer is born with. No heavy imports: the federation loads this."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random

import numpy as np
from numpy.typing import NDArray

from chorale.core.errors import InputError
from chorale.core.seeds import seed_for
from chorale.experiments.fedtts.config.network import GrowthConfig, NetworkConfig
from chorale.experiments.fedtts.network.naming import (
    STACKS,
    Depth,
    LayerName,
    StackName,
    exists_at,
    full_depth,
    layer_name,
)

Array = NDArray[np.float32]
_OUTPUT_PROJECTION = "output"
"""What attention and feed-forward parts call their last affine layer."""


def depth_at(round_: int, rounds: int, growth: GrowthConfig, network: NetworkConfig, seed: int) -> Depth:
    """Return the layers that exist in a round.

    ``grow``: one more stage every ``T / (2 S)`` of T rounds with S stages, so that the last stage takes the rest
    (ProgFed, Wang et al. 2022). ``random``: each layer with a chance of ``keep`` (LayerDrop, Fan et al. 2020, whose
    unit is a forward pass where ours is a round, so that what is left out is not sent), the lowest of a stack always.

    Args:
        round_: From 0.
        rounds: All of them.
        growth: The rule.
        network: The full depth.
        seed: Root of the draws of ``random``.

    Raises:
        InputError: The rounds do not reach to the last stage.
    """
    if growth.kind == "grow":
        return stages(growth, network)[stage_at(round_, rounds, growth, network)]
    full = full_depth(network)
    if growth.kind == "none":
        return full
    return Depth(*(_drawn(stack, full.of(stack), growth.keep, round_, seed) for stack in STACKS))


def stages(growth: GrowthConfig, network: NetworkConfig) -> list[Depth]:
    """Return the layers of each stage of ``grow``; those of a stage are among those of the next."""
    full = full_depth(network)
    deepest = max(len(full.encoder), len(full.decoder))
    count = 1 + -(-(deepest - growth.first_layers) // growth.add_layers)
    sizes = [growth.first_layers + stage * growth.add_layers for stage in range(count)]
    encoder, decoder = (_nested(sizes, len(full.of(stack)), growth) for stack in STACKS)
    return [Depth(*pair) for pair in zip(encoder, decoder, strict=True)]


def stage_at(round_: int, rounds: int, growth: GrowthConfig, network: NetworkConfig) -> int:
    """Return the stage of ``grow`` that a round is in, from 0.

    Raises:
        InputError: The rounds do not reach to the last stage.
    """
    count = len(stages(growth, network))
    return min(round_ // _interval(rounds, growth, count), count - 1)


def is_warmup(round_: int, rounds: int, growth: GrowthConfig, network: NetworkConfig) -> bool:
    """Say whether the newest layers alone are trained in a round; never in the first stage."""
    if growth.kind != "grow" or not growth.warmup_rounds:
        return False
    stage = stage_at(round_, rounds, growth, network)
    begin = stage * _interval(rounds, growth, len(stages(growth, network)))
    return stage > 0 and round_ < begin + growth.warmup_rounds


def trainable_at(
    names: Iterable[str], round_: int, rounds: int, growth: GrowthConfig, network: NetworkConfig, seed: int
) -> frozenset[str]:
    """Return those of ``names`` that a round trains: all that exist, or in a warm-up the newest layers' alone."""
    depth = depth_at(round_, rounds, growth, network, seed)
    existing = frozenset(name for name in names if exists_at(name, depth))
    if not is_warmup(round_, rounds, growth, network):
        return existing
    newest = new_layers(stages(growth, network)[stage_at(round_, rounds, growth, network) - 1], depth)
    return frozenset(name for name in existing if layer_name(name) is not None and exists_at(name, newest))


def new_layers(before: Depth, after: Depth) -> Depth:
    """Return the layers of ``after`` that ``before`` has not."""
    return Depth(*(tuple(id_ for id_ in after.of(stack) if id_ not in before.of(stack)) for stack in STACKS))


def grown(
    tensors: Mapping[str, Array], before: Depth, after: Depth, growth: GrowthConfig, fresh: Mapping[str, Array]
) -> dict[str, Array]:
    """Return ``tensors`` and those of the layers that ``after`` has besides.

    ``zero``: output projections of a new layer are zero, so that its residual branches add nothing and the network
    says what it said before (after Gong et al. 2019; holds for pre-LN alone). ``copy``: a new layer is a copy of the
    nearest one below. With ``random`` growth, layers that are out for a round stay as they are, and new ones are fresh.

    Args:
        tensors: Of the network so far; nothing is taken away.
        before: Layers so far.
        after: Layers from now on.
        growth: What new ones are born with.
        fresh: First weights of at least the new layers; gives the order.
    """
    result: dict[str, Array] = {}
    for name, first in fresh.items():
        if name in tensors:
            result[name] = tensors[name]
        elif exists_at(name, after):
            result[name] = _born(layer_name(name), first, tensors, before, growth)
    return {**result, **{name: value for name, value in tensors.items() if name not in result}}


def _born(
    name: LayerName | None, first: Array, tensors: Mapping[str, Array], before: Depth, growth: GrowthConfig
) -> Array:
    if name is None or growth.kind != "grow":
        return first
    if growth.initial == "copy":
        below = max((id_ for id_ in before.of(name.stack) if id_ < name.layer), default=min(before.of(name.stack)))
        return tensors[name._replace(layer=below).full].copy()
    return np.zeros_like(first) if name.rest.split(".")[-2] == _OUTPUT_PROJECTION else first


def _drawn(stack: StackName, layers: tuple[int, ...], keep: float, round_: int, seed: int) -> tuple[int, ...]:
    return tuple(
        layer for layer in layers if layer == 0 or Random(seed_for(seed, "depth", round_, stack, layer)).random() < keep
    )


def _interval(rounds: int, growth: GrowthConfig, count: int) -> int:
    share = growth.every if growth.every is not None else 1 / (2 * count)
    interval = max(1, round(share * rounds))
    if interval * (count - 1) >= rounds:
        raise InputError(
            f"growth: {count} stages of {interval} round(s) do not fit into {rounds} rounds",
            "raise federation.rounds or growth.add_layers, or lower growth.every",
        )
    return interval


def _nested(sizes: Iterable[int], depth: int, growth: GrowthConfig) -> list[tuple[int, ...]]:
    if growth.position == "top":
        return [tuple(range(min(size, depth))) for size in sizes]
    result: list[tuple[int, ...]] = []
    layers: list[int] = []
    for size in sizes:
        wanted = min(size, depth)
        if not layers:
            layers = [index * depth // wanted for index in range(wanted)]
        while len(layers) < wanted:
            layers = sorted([*layers, _middle_of_largest_gap(layers, depth)])
        result.append(tuple(layers))
    return result


def _middle_of_largest_gap(layers: list[int], depth: int) -> int:
    """Return the id halfway between the two neighbours farthest apart, the lowest such; the end is a neighbour too."""
    start, end = max(zip(layers, [*layers[1:], depth], strict=True), key=lambda gap: gap[1] - gap[0])
    return (start + end) // 2
