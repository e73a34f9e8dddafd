"""The trained network as a file: its tensors by name, from which its depth can be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from chorale.core import files
from chorale.core.errors import InputError
from chorale.experiments.fedtts.config.network import NetworkConfig
from chorale.experiments.fedtts.network.naming import STACKS, Depth, layer_name
from chorale.experiments.fedtts.network.transformer import TransformerTts

NETWORK_FILE = "network.pt"


def save_network(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write the tensors of a network, atomically."""
    with files.atomic_path(path) as temporary:
        torch.save(dict(tensors), temporary)


def load_network(path: Path, config: NetworkConfig, n_symbols: int, n_mels: int) -> TransformerTts:
    """Read a network, on the CPU and ready to speak.

    Raises:
        InputError: The file is missing or does not fit the configuration.
    """
    try:
        tensors: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
        network = TransformerTts(config, n_symbols, n_mels, depth_of(tensors))
        network.load_state_dict(tensors)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file", "the run has not trained yet; `chorale status` tells") from error
    except (RuntimeError, KeyError) as error:
        raise InputError(f"{path}: does not fit the configuration ({error})", "train the run again") from error
    return network.eval()


def depth_of(names: Iterable[str]) -> Depth:
    """Return the layers that tensors of these names make up."""
    layers = {(found.stack, found.layer) for name in names if (found := layer_name(name)) is not None}
    return Depth(*(tuple(sorted(layer for stack, layer in layers if stack == wanted)) for wanted in STACKS))
