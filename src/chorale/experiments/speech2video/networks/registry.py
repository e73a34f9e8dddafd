"""Teachers that a user has trained elsewhere, found by import path."""

from __future__ import annotations

import importlib
import inspect
from typing import Any, Self

import torch
from torch import Tensor, nn

from chorale.core.errors import InputError
from chorale.experiments.speech2video.networks.emotion_teacher import SeenEmotion
from chorale.experiments.speech2video.networks.shapes import BLOCKS, FrameSize


class _Given(nn.Module):
    """A network that has learned already: its parameters take no gradient, and it never leaves evaluation."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.requires_grad_(False)
        self.train(False)

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation, so that a batch changes neither its statistics nor its answers."""
        return super().train(False)


class GivenEmotionTeacher(_Given):
    """A user's network in the place of the emotion teacher.

    Attributes:
        n_features: Length of mu*.
        n_classes: Emotions that it tells; they need not be the corpus's.

    Args:
        path: ``module:function``, which is called with height and width of a frame and returns a network from frames
            ``(batch, 3, height, width)`` in [-1, 1] to a pair of features ``(batch, n)`` and logits
            ``(batch, emotions)``. It loads its own weights, and brings frames to what it was trained on.
        size: Of a frame.

    Raises:
        InputError: There is no such function, or its network does not answer so.
    """

    def __init__(self, path: str, size: FrameSize) -> None:
        super().__init__(_imported(path, size))
        found = _tried(path, self.network, size)
        wanted = "a pair: features (batch, n) and logits (batch, emotions)"
        if not (isinstance(found, tuple) and len(found) == 2 and all(_is_rows(each) for each in found)):
            raise _refused(path, found, wanted)
        self.n_features, self.n_classes = found[0].shape[1], found[1].shape[1]

    def features(self, frames: Tensor) -> Tensor:
        """Map frames ``(..., 3, height, width)`` in [-1, 1] to features of each, ``(..., n_features)``."""
        features: Tensor = self.network(frames.flatten(0, -4))[0]
        return features.view(*frames.shape[:-3], self.n_features)

    def forward(self, frames: Tensor) -> SeenEmotion:
        """Look at frames ``(batch, 3, height, width)``, or at clips ``(batch, frames, 3, height, width)``."""
        features, logits = (each.view(*frames.shape[:-3], -1) for each in self.network(frames.flatten(0, -4)))
        return SeenEmotion(features.mean(dim=1) if frames.dim() == 5 else features, logits)


class GivenIdentityTeacher(_Given):
    """A user's network in the place of the identity teacher; it tells no speakers of the corpus.

    Attributes:
        n_features: Length of nu*.
        channels: Of each level.

    Args:
        path: ``module:function`` as of :class:`GivenEmotionTeacher`, whose network returns a pair of five maps, shallow
            to deep, and features ``(batch, n)``. The maps have the sizes of ``FrameSize.maps``, the largest first.
        size: Of a frame.

    Raises:
        InputError: There is no such function, or its network does not answer so.
    """

    def __init__(self, path: str, size: FrameSize) -> None:
        super().__init__(_imported(path, size))
        found, sizes = _tried(path, self.network, size), size.maps[::-1]
        wanted = f"a pair: {BLOCKS} maps of {', '.join(f'{h} x {w}' for h, w in sizes)} places, and features (batch, n)"
        if not (isinstance(found, tuple) and len(found) == 2 and _is_rows(found[1]) and _are_maps(found[0], sizes)):
            raise _refused(path, found, wanted)
        self.n_features, self.channels = found[1].shape[1], tuple(each.shape[1] for each in found[0])

    def levels(self, frames: Tensor) -> list[Tensor]:
        """Map frames ``(batch, 3, height, width)`` in [-1, 1] to the five maps, shallow to deep."""
        return list(self.network(frames)[0])

    def features(self, frames: Tensor) -> Tensor:
        """Map the same to nu*, ``(batch, n_features)``."""
        features: Tensor = self.network(frames)[1]
        return features


def _imported(path: str, size: FrameSize) -> nn.Module:
    module, _, name = path.partition(":")
    arguments = (size.height, size.width)
    try:
        function = getattr(importlib.import_module(module), name)
        inspect.signature(function).bind(*arguments)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: no function of height and width can be imported by that path ({error})",
            "write module:function, with the module's directory in PYTHONPATH",
        ) from error
    network = function(*arguments)
    if not isinstance(network, nn.Module):
        raise InputError(f"{path}: returned no torch.nn.Module but {type(network).__name__}", "let it return one")
    return network


@torch.no_grad()
def _tried(path: str, network: nn.Module, size: FrameSize) -> Any:
    try:
        return network(torch.zeros(2, 3, size.height, size.width))
    except (RuntimeError, ValueError, TypeError) as error:
        raise InputError(
            f"{path}: its network takes no frames of {size.height} x {size.width} ({error})",
            "let it take (batch, 3, height, width)",
        ) from error


def _is_rows(value: object) -> bool:
    return isinstance(value, Tensor) and value.dim() == 2 and len(value) == 2


def _are_maps(value: object, sizes: tuple[tuple[int, int], ...]) -> bool:
    maps = list(value) if isinstance(value, list | tuple) else []
    return all(isinstance(each, Tensor) and each.dim() == 4 for each in maps) and tuple(
        tuple(each.shape[2:]) for each in maps
    ) == tuple(sizes)


def _refused(path: str, found: object, wanted: str) -> InputError:
    parts = found if isinstance(found, list | tuple) else [found]
    told = ", ".join(str(tuple(each.shape)) if isinstance(each, Tensor) else type(each).__name__ for each in parts)
    return InputError(f"{path}: its network returned {told}", f"let it return {wanted}")
