"""Networks by name, with weights that depend on a seed alone."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import torch
from torch import Tensor, nn

from chorale.core.errors import InputError
from chorale.core.seeds import seed_for
from chorale.experiments.datafree.networks.generator import DfadGenerator, MlpGenerator
from chorale.experiments.datafree.networks.lenet import HALF_WIDTHS, LeNet5
from chorale.experiments.datafree.networks.mlp import Mlp
from chorale.experiments.datafree.networks.names import CLASSIFIERS, GENERATORS, is_import_path, require_known
from chorale.experiments.datafree.networks.norm import make_global
from chorale.experiments.datafree.networks.resnet import ResNet
from chorale.experiments.datafree.networks.shapes import ImageShape

_MLP_LAYERS = 3
_GENERATOR_LAYERS = 2
_WIDE: Final = (64, 128, 256, 512)
_BUILDERS: Final[dict[str, Callable[[ImageShape, int], nn.Module]]] = {
    "lenet5": LeNet5,
    "lenet5-half": partial(LeNet5, widths=HALF_WIDTHS),
    "resnet8": partial(ResNet, blocks=(1, 1, 1), widths=(16, 32, 64)),
    "resnet8-half": partial(ResNet, blocks=(1, 1, 1), widths=(8, 16, 32)),
    "resnet14-coarse": partial(ResNet, blocks=(2, 2, 2), widths=(8, 16, 32), stem_stride=2),
    "resnet8-coarse": partial(ResNet, blocks=(1, 1, 1), widths=(8, 16, 32), stem_stride=2),
    "resnet18": partial(ResNet, blocks=(2, 2, 2, 2), widths=_WIDE),
    "resnet34": partial(ResNet, blocks=(3, 4, 6, 3), widths=_WIDE),
    "mlp": partial(Mlp, width=64, layers=_MLP_LAYERS),
    "mlp-half": partial(Mlp, width=32, layers=_MLP_LAYERS),
}


def build_classifier(name: str, shape: ImageShape, classes: int, seed: int) -> nn.Module:
    """Return a network from images ``(batch, channels, height, width)`` to logits ``(batch, classes)``.

    Two networks of one name and seed are equal: give a teacher and its student different seeds.

    Args:
        name: One of :data:`~chorale.experiments.datafree.networks.names.CLASSIFIERS`, or a user's own as
            ``module:function``, which is called with channels, height, width and classes; torch's own batch
            normalisations in it become those of the global batch.
        shape: Of an image.
        classes: Logits.
        seed: All that the weights depend on; a user's function must draw from torch's generator alone.

    Raises:
        InputError: There is no such network, it does not take such images, or it does not return such logits.
    """
    require_known("classifier", name, CLASSIFIERS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(seed, "classifier"))
        if not is_import_path(name):
            return _BUILDERS[name](shape, classes)
        network = _users_own(name, (*shape, classes))
        _check_output(name, network, torch.zeros(2, *shape), (2, classes))
        return network


def build_generator(
    name: str, shape: ImageShape, latent: int, seed: int, *, width: int = 128, scale: float = 1.0
) -> nn.Module:
    """Return a network from noise ``(batch, latent)`` to images ``(batch, channels, height, width)``.

    Args:
        name: ``dfad``, ``mlp``, or a user's own as ``module:function``, which is called with latent, channels, height
            and width of an image.
        shape: Of an image.
        latent: Dimensions of the noise.
        seed: All that the weights depend on.
        width: Channels of ``dfad``, hidden width of ``mlp``.
        scale: What ``mlp`` multiplies its tanh by.

    Raises:
        InputError: There is no such network, or it does not make such images.
    """
    require_known("generator", name, GENERATORS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(seed, "generator"))
        if name == "dfad":
            return DfadGenerator(latent, shape, width)
        if name == "mlp":
            return MlpGenerator(latent, shape, width, _GENERATOR_LAYERS, scale)
        network = _users_own(name, (latent, *shape))
        _check_output(name, network, torch.zeros(2, latent), (2, *shape))
        return network


def _users_own(path: str, arguments: Sequence[int]) -> nn.Module:
    module, _, name = path.partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
        inspect.signature(function).bind(*arguments)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: no function of {len(arguments)} numbers can be imported by that path ({error})",
            "write module:function, with the module's directory in PYTHONPATH",
        ) from error
    network = function(*arguments)
    if not isinstance(network, nn.Module):
        raise InputError(f"{path}: returned no torch.nn.Module but {type(network).__name__}", "let it return one")
    make_global(network)
    return network


@torch.no_grad()
def _check_output(path: str, network: nn.Module, inputs: Tensor, expected: Sequence[int]) -> None:
    training = network.training
    output = network.eval()(inputs)
    network.train(training)
    found = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
    if found != tuple(expected):
        raise InputError(
            f"{path}: maps {tuple(inputs.shape)} to {found} where {tuple(expected)} is needed",
            "let its network return one tensor of that shape",
        )
