"""The IDX format of MNIST: 00 00, a type, the number of dimensions, each dimension, then the values; big-endian.

Source: Y. LeCun, C. Cortes and C. J. C. Burges, "The MNIST database of handwritten digits", section "File formats".
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from chorale.core.errors import InputError

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP = b"\x1f\x8b"
_MAGIC_BYTES = 4
_SIZE_BYTES = 4
_MOST_DIMENSIONS = 32
"""An array of numpy 1 has no more, and 255 would only be met in a file of something else."""
_RESTORE = "restore the file"


def read_idx(path: Path) -> npt.NDArray[Any]:
    """Read an IDX file, gzip-compressed or not, whatever it is called.

    Returns:
        An array of the file's type and dimensions, in the machine's byte order.

    Raises:
        InputError: The file is missing, damaged, cut short, too long, or not IDX.
    """
    content = _content(path)
    magic = content[:_MAGIC_BYTES]
    if len(magic) < _MAGIC_BYTES or magic[:2] != b"\0\0" or magic[2] not in _TYPES or not _is_plausible(magic[3]):
        raise InputError(f"{path}: not an IDX file (begins with {magic.hex(' ') or 'nothing'})", _RESTORE)
    header_bytes = _MAGIC_BYTES + magic[3] * _SIZE_BYTES
    if len(content) < header_bytes:
        raise InputError(f"{path}: cut short within its header", _RESTORE)
    shape = struct.unpack(f">{magic[3]}I", content[_MAGIC_BYTES:header_bytes])
    dtype = np.dtype(_TYPES[magic[2]])
    expected = header_bytes + math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        raise InputError(f"{path}: {len(content)} bytes, but its header tells of {expected}", _RESTORE)
    values = np.frombuffer(content, dtype, offset=header_bytes).reshape(shape)
    return values.astype(dtype.newbyteorder("="))


def _content(path: Path) -> bytes:
    try:
        stored = path.read_bytes()
        return gzip.decompress(stored) if stored.startswith(_GZIP) else stored
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file", "check corpus.root and corpus.layout") from error
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({error})", _RESTORE) from error


def _is_plausible(dimensions: int) -> bool:
    return 1 <= dimensions <= _MOST_DIMENSIONS
