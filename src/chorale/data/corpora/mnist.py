"""MNIST and what has its form: four IDX files, 28 x 28 pixels of brightness, ten classes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from chorale.core.errors import InputError
from chorale.data.corpora.idx import read_idx
from chorale.data.corpora.images import ImageCorpus, ImageSet, make_image_set

_TRAIN, _TEST = "train", "t10k"
_IMAGES, _LABELS = ("images", 3), ("labels", 1)
"""What a file holds, and the dimensions of that."""


class MnistLike(NamedTuple):
    """A corpus of that form."""

    folders: tuple[str, ...]
    """Where its files may lie under the root: at the top, as torchvision keeps them, or as the catalogue's package."""
    classes: tuple[str, ...]


MNIST = MnistLike(("", "MNIST/raw", "package/data"), tuple("0123456789"))
FASHION_MNIST = MnistLike(
    ("", "FashionMNIST/raw", "usr/share/datasets/fashion-mnist"),
    (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
)


def read_mnist(root: Path, like: MnistLike) -> ImageCorpus:
    """Read ``{train,t10k}-images-idx3-ubyte`` and ``-labels-idx1-ubyte``, each with ``.gz`` or without.

    Raises:
        InputError: A file is missing or damaged, holds something else, or labels and images do not belong together.
    """
    for folder in like.folders:
        if _find(root / folder, _TRAIN, *_IMAGES).is_file():
            train, test = (_read(root / folder, part, like) for part in (_TRAIN, _TEST))
            return ImageCorpus(train, test, like.classes)
    raise InputError(f"{root}: holds no train-images-idx3-ubyte", "check corpus.root and corpus.layout")


def _read(directory: Path, part: str, like: MnistLike) -> ImageSet:
    arrays = []
    paths = [_find(directory, part, *kind) for kind in (_IMAGES, _LABELS)]
    for path, (what, dimensions) in zip(paths, (_IMAGES, _LABELS), strict=True):
        array = read_idx(path)
        if array.dtype != np.uint8 or array.ndim != dimensions:
            raise InputError(
                f"{path}: {array.ndim} dimensions of {array.dtype}, but {what} have {dimensions} of uint8",
                "restore the file",
            )
        arrays.append(array)
    images, labels = arrays
    return make_image_set(images[:, np.newaxis], labels, len(like.classes), paths[1])


def _find(directory: Path, part: str, what: str, dimensions: int) -> Path:
    """Return the file there is, or the first of the names it may have."""
    # Some copies on the web have a dot before idx.
    names = [f"{part}-{what}{mark}idx{dimensions}-ubyte{gz}" for mark in "-." for gz in ("", ".gz")]
    return next((directory / name for name in names if (directory / name).is_file()), directory / names[0])
