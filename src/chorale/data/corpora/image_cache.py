"""Decoded images in a feature store, for those that are slow to decode: made once, whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from chorale.core.config import short_hash
from chorale.core.errors import InputError
from chorale.core.files import not_writable
from chorale.core.logs import get_logger
from chorale.data.corpora.images import ImageSet
from chorale.data.store.manifest import MANIFEST, write_manifest
from chorale.data.store.reader import Store
from chorale.data.store.shard import ShardWriter

_PARTS = ("train", "test")
_SHARD = "images.h5"
_log = get_logger(__name__)


def cached_images(
    directory: Path, name: str, made_from: str, decode: Callable[[], tuple[ImageSet, ImageSet]]
) -> tuple[ImageSet, ImageSet]:
    """Return the images for training and for testing as they were decoded once.

    Args:
        directory: Where the stores lie.
        name: What the store's folder is called, with the identity behind it.
        made_from: All that the arrays depend on, such as a package's version and checksum.
        decode: Makes them; there are at most 256 classes.

    Raises:
        InputError: The directory cannot be written, or whatever ``decode`` raises.
    """
    identity = short_hash(made_from)
    target = directory / f"{name}-{identity}"
    if target.exists():
        try:
            return _load(target, identity)
        except InputError as error:
            _log.warning("%s. The images are decoded again", error.what)
            shutil.rmtree(target, ignore_errors=True)
    parts = decode()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=directory))
    except OSError as error:
        raise not_writable(directory, error) from error
    try:
        # A name of its own until it is whole: processes that decode at the same time do not meet.
        store = work / "store"
        _save(store, identity, parts, target)
        _rename(store, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return parts


def _save(store: Path, identity: str, parts: tuple[ImageSet, ImageSet], target: Path) -> None:
    with ShardWriter(store / _SHARD, identity) as writer:
        for part, images in zip(_PARTS, parts, strict=True):
            writer.add(f"{part}/images", images.images)
            # The samples of a shard have one type.
            writer.add(f"{part}/labels", images.labels.astype(np.uint8))
    write_manifest(store, identity, f"rm -r {target}, and the next reader decodes them")


def _load(store: Path, identity: str) -> tuple[ImageSet, ImageSet]:
    samples = Store.open(store, identity)
    try:
        train, test = (
            ImageSet(samples[f"{part}/images"], samples[f"{part}/labels"].astype(np.int64)) for part in _PARTS
        )
    finally:
        samples.close()
    return train, test


def _rename(store: Path, target: Path) -> None:
    try:
        store.rename(target)
    except OSError:
        # Another process may have put the same images there meanwhile: its store is as good as ours.
        if not (target / MANIFEST).is_file():
            raise
