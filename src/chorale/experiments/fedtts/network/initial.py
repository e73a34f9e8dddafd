"""The first weights: a function of the seed and of each tensor's name alone."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from chorale.core.seeds import seed_for
from chorale.experiments.fedtts.config.network import NetworkConfig
from chorale.experiments.fedtts.network.naming import Depth
from chorale.experiments.fedtts.network.transformer import TransformerTts

Array = NDArray[np.float32]


def tensor_shapes(config: NetworkConfig, n_symbols: int, n_mels: int, depth: Depth) -> dict[str, tuple[int, ...]]:
    """Return the name and shape of every tensor of the network, in the order of its state."""
    with torch.device("meta"):
        network = TransformerTts(config, n_symbols, n_mels, depth)
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def initial_tensors(config: NetworkConfig, n_symbols: int, n_mels: int, depth: Depth, seed: int) -> dict[str, Array]:
    """Return the first weights, in the order of the network's state.

    Each tensor's draws are keyed by its name, so a layer that is added later starts the same whoever makes it.
    Matrices and kernels are uniform after Glorot and Bengio 2010, equation 16; embeddings are normal with deviation 1,
    padding's zero; scales and alphas are 1 and biases 0.

    Args:
        config: Sizes.
        n_symbols: Symbols, padding included.
        n_mels: Bins of a frame.
        depth: The layers that exist.
        seed: Root of the draws.
    """
    shapes = tensor_shapes(config, n_symbols, n_mels, depth)
    return {name: _initial(name, shape, seed) for name, shape in shapes.items()}


def build(config: NetworkConfig, n_symbols: int, n_mels: int, depth: Depth, seed: int) -> TransformerTts:
    """Return the network with its first weights."""
    with torch.device("meta"):
        network = TransformerTts(config, n_symbols, n_mels, depth)
    weights = initial_tensors(config, n_symbols, n_mels, depth, seed)
    network.to_empty(device="cpu")
    network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    return network


def _initial(name: str, shape: tuple[int, ...], seed: int) -> Array:
    generator = np.random.default_rng(seed_for(seed, "weights", name))
    if name == "embedding.weight":
        rows = generator.standard_normal(shape, dtype=np.float32)
        rows[0] = 0.0
        return rows
    if name.endswith(".bias"):
        return np.zeros(shape, dtype=np.float32)
    if len(shape) == 1:
        return np.ones(shape, dtype=np.float32)
    field = math.prod(shape[2:])
    bound = math.sqrt(6.0 / ((shape[0] + shape[1]) * field))
    return generator.uniform(-bound, bound, shape).astype(np.float32)
