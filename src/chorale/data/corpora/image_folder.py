"""A folder per class: ``train/class/*.png`` and ``test/class/*.png`` (or ``val``)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from chorale.core.errors import InputError
from chorale.core.progress import Progress
from chorale.data.corpora.images import ImageCorpus, ImageSet, make_image_set
from chorale.media.image.io import IMAGE_SUFFIXES, ImageArray, read_image

_TRAIN = "train"
_TEST = ("test", "val")


def read_image_folder(root: Path, channels: Literal[1, 3], size: int | None) -> ImageCorpus:
    """Read the images of every class, at any depth within its folder; classes and images are sorted by name.

    Args:
        root: Holds ``train``, and ``test`` or ``val`` (``test`` is taken where both are there).
        channels: Of the result.
        size: Pixels of both sides of the result; None: images are of one size already, and stay as they are.

    Raises:
        InputError: A folder is missing or empty, training and testing have different classes, an image cannot be
            read, or images differ in size and none is set.
    """
    train = root / _TRAIN
    test = next((root / name for name in _TEST if (root / name).is_dir()), root / _TEST[0])
    classes, tested = _classes(train), _classes(test)
    if classes != tested:
        only = sorted(set(classes) ^ set(tested))
        more = f" and {len(only) - 1} more" if len(only) > 1 else ""
        place = train if only[0] in classes else test
        raise InputError(f"{place / only[0]}: a class of {place.name} alone{more}", "give both parts the same classes")
    return ImageCorpus(_read_part(train, classes, channels, size), _read_part(test, classes, channels, size), classes)


def _classes(part: Path) -> tuple[str, ...]:
    if not part.is_dir():
        raise InputError(f"{part}: no such directory", "check corpus.root and corpus.layout")
    classes = tuple(sorted(path.name for path in part.iterdir() if path.is_dir() and not path.name.startswith(".")))
    if not classes:
        raise InputError(f"{part}: holds no folder of a class", "check corpus.root and corpus.layout")
    return classes


def _read_part(part: Path, classes: tuple[str, ...], channels: Literal[1, 3], size: int | None) -> ImageSet:
    paths = [(path, label) for label, name in enumerate(classes) for path in _images(part / name)]
    images: list[ImageArray] = []
    with Progress(f"read {part.name} images", len(paths)) as progress:
        for path, _ in paths:
            image = read_image(path, channels, size)
            if images and image.shape != images[0].shape:
                sizes = [f"{pixels.shape[2]} x {pixels.shape[1]}" for pixels in (image, images[0])]
                raise InputError(f"{path}: {sizes[0]} pixels, but {paths[0][0]} has {sizes[1]}", "set corpus.size")
            images.append(image)
            progress.advance()
    return make_image_set(np.stack(images), [label for _, label in paths], len(classes), part)


def _images(folder: Path) -> list[Path]:
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES
        # Systems and editors leave hidden files and folders behind, such as the ._name.png of macOS.
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not paths:
        raise InputError(f"{folder}: holds no image ({', '.join(sorted(IMAGE_SUFFIXES))})", "add some, or remove it")
    return paths
