"""How the network and the clients' learning rate change over the rounds of one configuration."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache

from chorale.experiments.fedtts.config import FedttsConfig
from chorale.experiments.fedtts.federation.trainer import Schedule, Tensors
from chorale.experiments.fedtts.network.growth import depth_at, grown, trainable_at
from chorale.experiments.fedtts.network.initial import initial_tensors, tensor_shapes
from chorale.experiments.fedtts.network.naming import Depth, exists_at, full_depth
from chorale.experiments.fedtts.rates import local_rate


def make_schedule(config: FedttsConfig, n_symbols: int, symbols_per_frame: float) -> Schedule:
    """Return the schedule of a federation; the same on every rank.

    Args:
        config: Network, growth, rounds, rates and seed.
        n_symbols: Symbols, padding included.
        symbols_per_frame: Mean of the corpus; for the cost of a frame.

    Raises:
        InputError: The rounds do not reach to the last stage of growth.
    """
    network, growth, seed, n_mels = config.network, config.growth, config.seed, config.mel.n_mels
    rounds, reduction = config.federation.rounds, config.federation.reduction
    full = full_depth(network)
    shapes = tensor_shapes(network, n_symbols, n_mels, full)
    depth_at(0, rounds, growth, network, seed)

    @cache
    def fresh() -> Tensors:
        return initial_tensors(network, n_symbols, n_mels, full, seed)

    whole = frame_cost(shapes, full, reduction, symbols_per_frame)
    return Schedule(
        depth_at=lambda round_: depth_at(round_, rounds, growth, network, seed),
        grow=lambda tensors, before, after: grown(tensors, before, after, growth, fresh()),
        trainable_at=lambda round_, _: trainable_at(shapes, round_, rounds, growth, network, seed),
        rate_at=lambda round_: local_rate(config.local, round_),
        cost_at=lambda depth: frame_cost(shapes, depth, reduction, symbols_per_frame) / whole,
    )


def frame_cost(shapes: Mapping[str, tuple[int, ...]], depth: Depth, reduction: int, symbols_per_frame: float) -> float:
    """Return the multiplications that a mel frame costs in matrices and kernels.

    Our choice: each is used once a frame in the postnet, once a step in the decoder and the output, once a symbol in
    the encoder; products within attention are left out, which the widths used here outweigh.

    Args:
        shapes: Of every tensor at full depth.
        depth: The layers that exist.
        reduction: Frames per step.
        symbols_per_frame: Mean of the corpus.
    """
    uses = {"postnet": 1.0, "decoder": 1 / reduction, "output": 1 / reduction, "encoder": symbols_per_frame}
    return sum(
        math.prod(shape) * uses.get(name.partition(".")[0], 0.0)
        for name, shape in shapes.items()
        if len(shape) > 1 and exists_at(name, depth)
    )
