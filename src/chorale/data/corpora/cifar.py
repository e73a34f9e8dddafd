"""CIFAR-10 and CIFAR-100 as Krizhevsky offers them: 32 x 32 colour images in the binary or the Python version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from chorale.core.errors import InputError
from chorale.data.corpora.cifar_pickle import read_batch, read_names
from chorale.data.corpora.images import ImageCorpus, ImageSet, join_image_sets, make_image_set

IMAGE_SHAPE = (3, 32, 32)
PIXEL_BYTES = 3 * 32 * 32


class Cifar(NamedTuple):
    """One of the two."""

    folders: tuple[str, ...]
    """What its archives unpack to; the files may lie in one of these under the root, or at the top."""
    train: tuple[str, ...]
    """Files in order, by their names in the Python version; the binary version adds ``.bin``."""
    test: str
    label_bytes: int
    """``binary``: bytes before the pixels; the last of them is the class."""
    label_key: str
    """``Python``: the entry that holds the classes."""
    n_classes: int
    classes: tuple[str, ...]
    """Names; empty where a file beside the images tells them."""


CIFAR10 = Cifar(
    folders=("cifar-10-batches-bin", "cifar-10-batches-py"),
    train=tuple(f"data_batch_{number}" for number in range(1, 6)),
    test="test_batch",
    label_bytes=1,
    label_key="labels",
    n_classes=10,
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
)
CIFAR100 = Cifar(
    folders=("cifar-100-binary", "cifar-100-python"),
    train=("train",),
    test="test",
    label_bytes=2,
    label_key="fine_labels",
    n_classes=100,
    classes=(),
)


def read_cifar(root: Path, cifar: Cifar) -> ImageCorpus:
    """Read whichever version lies under ``root``; the binary one where both do.

    A file may hold any number of images, so that parts of the corpus in its form are read too. Of CIFAR-100's two
    labels the fine one is the class; its names are those of ``fine_label_names.txt`` or ``meta``, if there.

    Raises:
        InputError: No version is there, a file is missing or damaged, or a label is of no class.
    """
    for directory in (root, *(root / folder for folder in cifar.folders)):
        for suffix, read in ((".bin", _read_binary), ("", _read_pickle)):
            if any((directory / f"{name}{suffix}").is_file() for name in (*cifar.train, cifar.test)):
                return _read_version(directory, suffix, read, cifar)
    names = f"{cifar.train[0]}.bin nor {cifar.train[0]}"
    raise InputError(f"{root}: holds neither {names}", "check corpus.root and corpus.layout")


def _read_version(directory: Path, suffix: str, read: Callable[[Path, Cifar], ImageSet], cifar: Cifar) -> ImageCorpus:
    for name in (*cifar.train, cifar.test):
        if not (directory / f"{name}{suffix}").is_file():
            raise InputError(f"{directory / name}{suffix}: no such file", "restore it from CIFAR's archive")
    train = join_image_sets([read(directory / f"{name}{suffix}", cifar) for name in cifar.train])
    test = read(directory / f"{cifar.test}{suffix}", cifar)
    return ImageCorpus(train, test, cifar.classes or _class_names(directory, cifar))


def _read_binary(path: Path, cifar: Cifar) -> ImageSet:
    values = np.fromfile(path, dtype=np.uint8)
    record_bytes = cifar.label_bytes + PIXEL_BYTES
    if values.size % record_bytes != 0:
        raise InputError(
            f"{path}: {values.size} bytes are no whole number of images ({record_bytes} bytes each)",
            "restore it from CIFAR's archive",
        )
    records = values.reshape(-1, record_bytes)
    images = records[:, cifar.label_bytes :].reshape(-1, *IMAGE_SHAPE)
    return make_image_set(images, records[:, cifar.label_bytes - 1], cifar.n_classes, path)


def _read_pickle(path: Path, cifar: Cifar) -> ImageSet:
    pixels, labels = read_batch(path, cifar.label_key)
    if pixels.shape[1] != PIXEL_BYTES:
        raise InputError(
            f"{path}: data of shape {pixels.shape}, but (n, {PIXEL_BYTES}) was expected",
            "restore it from CIFAR's archive",
        )
    return make_image_set(pixels.reshape(-1, *IMAGE_SHAPE), labels, cifar.n_classes, path)


def _class_names(directory: Path, cifar: Cifar) -> tuple[str, ...]:
    binary, python = directory / "fine_label_names.txt", directory / "meta"
    if binary.is_file():
        where, names = binary, binary.read_text(encoding="utf-8", errors="replace").split()
    elif python.is_file():
        where, names = python, read_names(python, "fine_label_names")
    else:
        return tuple(str(number) for number in range(cifar.n_classes))
    if len(names) != cifar.n_classes:
        raise InputError(f"{where}: {len(names)} names for {cifar.n_classes} classes", "restore or remove the file")
    return tuple(names)
