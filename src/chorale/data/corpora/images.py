"""Images with their classes, whichever layout a corpus has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from chorale.core.errors import InputError
from chorale.data.corpora.fetch import fetched_corpus
from chorale.data.corpora.image_config import ImagesConfig


class ImageSet(NamedTuple):
    """Images of one size, and the class of each."""

    images: npt.NDArray[np.uint8]
    """``(n, channels, height, width)``, 0 to 255."""
    labels: npt.NDArray[np.int64]
    """``(n,)``: places in the corpus's list of classes."""


class ImageCorpus(NamedTuple):
    """What is trained on and what is tested on."""

    train: ImageSet
    test: ImageSet
    classes: tuple[str, ...]
    """Names in the order of the labels; numbers as text where no names are known."""


def read_images(config: ImagesConfig, cache: Path) -> ImageCorpus:
    """Return the images of a corpus, in its own order; the same on every machine that holds the same files.

    Args:
        config: Which corpus, and how many images of it.
        cache: Where fetched packages lie, and where what is slow to decode is kept.

    Raises:
        InputError: The corpus is not there, or a file of it is not as the layout has it.
    """
    root = config.root if config.corpus is None else _fetched(config.corpus, cache)
    if root is None or not root.is_dir():
        raise InputError(f"{root}: no such directory", "set corpus.root to the top of the images")
    corpus = _read(config, root, cache)
    shapes = [" x ".join(map(str, part.images.shape[1:])) for part in (corpus.train, corpus.test)]
    if shapes[0] != shapes[1]:
        raise InputError(f"{root}: images are {shapes[0]} for training, {shapes[1]} for testing", "bring them together")
    return corpus._replace(
        train=limit_images(corpus.train, config.max_train), test=limit_images(corpus.test, config.max_test)
    )


def limit_images(images: ImageSet, maximum: int | None) -> ImageSet:
    """Return at most ``maximum`` images, in their order; None returns all.

    A systematic sample of the images ordered by class: image ``(i + 1/2) n / maximum`` of n, for each i. So each class
    keeps its share to within one image, and what is taken of it lies evenly over its own images. Our choice.
    """
    count = len(images.labels)
    if maximum is None or maximum >= count:
        return images
    by_class = np.argsort(images.labels, kind="stable")
    kept = np.sort(by_class[(2 * np.arange(maximum) + 1) * count // (2 * maximum)])
    return ImageSet(images.images[kept], images.labels[kept])


def make_image_set(images: npt.NDArray[np.uint8], labels: npt.ArrayLike, n_classes: int, where: Path) -> ImageSet:
    """Return images with their labels, after checking that they belong together.

    Args:
        images: ``(n, channels, height, width)``.
        labels: ``(n,)``, whole numbers.
        n_classes: How many classes there are.
        where: The file that holds the labels.

    Raises:
        InputError: There are no images, not as many labels as images, or a label of no class.
    """
    try:
        numbers = np.asarray(labels, dtype=np.int64)
    except OverflowError as error:
        raise InputError(f"{where}: holds a label beyond 64 bits", "restore the file") from error
    if len(numbers) != len(images):
        raise InputError(f"{where}: {len(numbers)} labels for {len(images)} images", "restore both files")
    if len(images) == 0:
        raise InputError(f"{where}: holds no images", "restore the file")
    outside = np.flatnonzero((numbers < 0) | (numbers >= n_classes))
    if outside.size > 0:
        first = int(outside[0])
        raise InputError(
            f"{where}: label {numbers[first]} of image {first}, but labels are 0 to {n_classes - 1}",
            "restore the file, or set corpus.layout to what it is",
        )
    # What was mapped onto a file's bytes cannot be written, and torch warns of that.
    return ImageSet(np.require(images, requirements=["C", "W"]), numbers)


def join_image_sets(parts: Sequence[ImageSet]) -> ImageSet:
    """Return the images of several files as one set, in order."""
    return ImageSet(np.concatenate([p.images for p in parts]), np.concatenate([p.labels for p in parts]))


def _read(config: ImagesConfig, root: Path, cache: Path) -> ImageCorpus:
    # The readers build on the classes above.
    from chorale.data.corpora import cifar, cifar_sheets, image_folder, mnist

    if config.layout == "folder":
        return image_folder.read_image_folder(root, config.channels, config.size)
    if config.layout in ("mnist", "fashion-mnist"):
        return mnist.read_mnist(root, mnist.MNIST if config.layout == "mnist" else mnist.FASHION_MNIST)
    if config.corpus is not None:
        return cifar_sheets.read_cifar_package(root, cache)
    return cifar.read_cifar(root, cifar.CIFAR10 if config.layout == "cifar10" else cifar.CIFAR100)


def _fetched(corpus: str, cache: Path) -> Path:
    fetched = fetched_corpus(corpus, cache)
    if fetched is None:
        raise InputError(f"{corpus}: not fetched into {cache}", f"run: chorale corpora fetch {corpus}")
    return fetched.folders[0]
