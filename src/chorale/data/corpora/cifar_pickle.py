"""The Python version of CIFAR, read without trusting it: a pickle can ask for any function, and gets none of them.

The few names that a batch asks for (those by which numpy restores an array) are answered with stand-ins of this file
that only keep what they are given; any other name ends the reading. So nothing of numpy's is handed a stranger's
numbers, either, before they are checked here.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from chorale.core.errors import InputError

_RESTORE = "restore it from CIFAR's archive"
_BYTE_TYPES = frozenset({"u1", b"u1"})


def read_batch(path: Path, label_key: str) -> tuple[npt.NDArray[np.uint8], list[int]]:
    """Read the pixels and labels of a batch.

    Args:
        path: Such as ``data_batch_1``.
        label_key: ``labels``, ``fine_labels`` or ``coarse_labels``.

    Returns:
        Pixels as they are stored, ``(n, 3072)``, and n labels.

    Raises:
        InputError: The file is missing, damaged, asks for what no batch needs, or lacks one of the two.
    """
    entries = _read(path)
    pixels, labels = _entry(entries, "data", path), _entry(entries, label_key, path)
    if not isinstance(pixels, _Array):
        raise InputError(f"{path}: data is no array", _RESTORE)
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise InputError(f"{path}: {label_key} is no list of whole numbers", _RESTORE)
    return pixels.checked(path), labels


def read_names(path: Path, key: str) -> list[str]:
    """Read a list of names from a file such as ``meta``.

    Raises:
        InputError: As for ``read_batch``.
    """
    names = _entry(_read(path), key, path)
    if not isinstance(names, list) or not all(isinstance(name, str | bytes) for name in names):
        raise InputError(f"{path}: {key} is no list of names", _RESTORE)
    return [name.decode("utf-8", "replace") if isinstance(name, bytes) else name for name in names]


class _Array:
    """Stands in for numpy's array, and for the function that makes an empty one: keeps the state that comes next."""

    def __init__(self, *subtype_shape_and_type: Any) -> None:
        self._state: tuple[Any, ...] = ()

    def __setstate__(self, state: Any) -> None:
        self._state = state if isinstance(state, tuple) else ()

    def checked(self, path: Path) -> npt.NDArray[np.uint8]:
        """Return the array, if it is a table of bytes and its parts agree."""
        if len(self._state) != 5:
            raise InputError(f"{path}: data is no array", _RESTORE)
        _, shape, dtype, by_column, content = self._state
        if not isinstance(dtype, _DType) or dtype.name not in _BYTE_TYPES:
            raise InputError(f"{path}: data is no array of bytes (uint8)", _RESTORE)
        if (
            not isinstance(shape, tuple)
            or len(shape) != 2
            or not all(type(side) is int and side >= 0 for side in shape)
            or not isinstance(content, bytes)
            or math.prod(shape) != len(content)
        ):
            raise InputError(f"{path}: data is damaged: its shape and its bytes do not agree", _RESTORE)
        return np.frombuffer(content, dtype=np.uint8).reshape(shape, order="F" if by_column else "C")


class _DType:
    """Stands in for ``numpy.dtype``: keeps the type's name. Single bytes have no order, so its state says nothing."""

    def __init__(self, name: Any = None, *flags: Any) -> None:
        self.name = name if isinstance(name, str | bytes) else None

    def __setstate__(self, state: Any) -> None:
        pass


# A pickle can set attributes on what it is given: classes with a __setstate__ and functions in C do not let it.
_STAND_INS: Mapping[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _DType,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    # By which Python 3 writes bytes for readers of Python 2.
    ("_codecs", "encode"): str.encode,
}


class _StrictUnpickler(pickle.Unpickler):
    """Reads numbers, texts, lists, mappings and the stand-ins above."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _STAND_INS[module, name]
        except KeyError:
            raise _RefusedError(f"{module}.{name}") from None

    def persistent_load(self, identifier: Any) -> NoReturn:
        raise _RefusedError("something outside the file")


class _RefusedError(Exception):
    """A pickle asks for a name that no batch needs."""


def _read(path: Path) -> dict[Any, Any]:
    try:
        with path.open("rb") as file:
            # CIFAR's own files were written by Python 2, whose texts were bytes.
            entries = _StrictUnpickler(file, encoding="bytes").load()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file", _RESTORE) from error
    except _RefusedError as error:
        raise InputError(f"{path}: asks for {error}, which no CIFAR batch needs", "do not trust this file") from error
    except Exception as error:  # A damaged pickle can end in almost any error.
        raise InputError(f"{path}: not a readable batch ({error or type(error).__name__})", _RESTORE) from error
    if not isinstance(entries, dict):
        raise InputError(f"{path}: holds no mapping", _RESTORE)
    return entries


def _entry(entries: dict[Any, Any], key: str, path: Path) -> Any:
    for written in (key.encode(), key):
        if written in entries:
            return entries[written]
    raise InputError(f"{path}: has no {key}", "check corpus.layout, or restore it from CIFAR's archive")
