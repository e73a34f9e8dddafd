"""How fast the store feeds a DataLoader, beside ``np.memmap`` and plain h5py, measured in one run."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from chorale.core.progress import Progress
from chorale.data.store.hdf5 import h5py
from chorale.data.store.manifest import write_manifest
from chorale.data.store.reader import Store
from chorale.data.store.shard import Array, ShardWriter

_FEATURE_HASH = "bench"
_BLOCK = 500


class _Samples(Dataset[torch.Tensor]):
    """Samples by index; ``open_source`` is called once in each process, at the first read."""

    def __init__(self, count: int, open_source: Callable[[], Callable[[int], Array]]) -> None:
        self._count = count
        self._open_source = open_source
        self._read: Callable[[int], Array] | None = None

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> torch.Tensor:
        if self._read is None:
            self._read = self._open_source()
        return torch.from_numpy(self._read(index))


def bench_store(
    samples: int = 10_000,
    frames: int = 300,
    dim: int = 80,
    batch: int = 64,
    workers: int = 2,
    repeats: int = 7,
    chunked_samples: int = 1_000,
    directory: Path | None = None,
) -> dict[str, Any]:
    """Measure shuffled reading of float32 samples ``(frames, dim)``, warm cache, and return a JSON-able result.

    Four sources hold the same arrays: the store, ``np.memmap`` (each sample copied out, as a batch needs it), an
    h5py file with one dataset as ``create_dataset(data=...)`` makes it, and one with h5py's automatic chunks. Repeats
    are interleaved; a ratio is taken within each repeat, so that a busy machine slows both its sides.

    Args:
        samples: How many.
        frames: Frames of a sample.
        dim: Values of a frame.
        batch: Samples of a batch.
        workers: DataLoader workers; the same is measured in one process without DataLoader.
        repeats: Passes over all samples, after one to warm up.
        chunked_samples: Samples of a pass over the automatically chunked file, which is slow.
        directory: Where the copies (four times the size) lie for the time being; None: the system's temporary folder.
    """
    with tempfile.TemporaryDirectory(prefix="bench-store-", dir=directory) as name:
        root = Path(name)
        sources = _write(root, (samples, frames, dim))
        counts = dict.fromkeys(sources, samples) | {"h5py chunked": min(chunked_samples, samples)}
        loaders = {
            source: DataLoader(
                _Samples(counts[source], sources[source]),
                batch_size=batch,
                shuffle=True,
                num_workers=workers,
                persistent_workers=workers > 0,
            )
            for source in sources
        }
        rates: dict[str, dict[str, list[float]]] = {"loader": {}, "alone": {}}
        with Progress("bench store", (repeats + 1) * len(sources)) as progress:
            for repeat in range(repeats + 1):
                for source in sources:
                    order = np.random.default_rng(repeat).permutation(counts[source])
                    read = sources[source]()
                    for kind, seconds in (
                        ("loader", _time(iter(loaders[source]))),
                        ("alone", _time(read(int(index)) for index in order)),
                    ):
                        if repeat > 0:
                            rates[kind].setdefault(source, []).append(counts[source] / seconds)
                    progress.advance()
        # Workers hold the files open; they end with their loader.
        loaders.clear()
    return {
        "samples": samples,
        "shape": [frames, dim],
        "batch": batch,
        "workers": workers,
        "repeats": repeats,
        "samples_per_s": {kind: {s: _spread(r) for s, r in of.items()} for kind, of in rates.items()},
        "ratio_to_memmap": {
            kind: {
                source: _spread([own / memmap for own, memmap in zip(of[source], of["memmap"], strict=True)])
                for source in of
                if source != "memmap"
            }
            for kind, of in rates.items()
        },
    }


def _write(root: Path, shape: tuple[int, int, int]) -> dict[str, Callable[[], Callable[[int], Array]]]:
    samples = shape[0]
    memmap = np.memmap(root / "memmap.bin", dtype=np.float32, mode="w+", shape=shape)
    generator = np.random.default_rng(0)
    for start in range(0, samples, _BLOCK):
        stop = min(start + _BLOCK, samples)
        memmap[start:stop] = generator.standard_normal((stop - start, *shape[1:]), dtype=np.float32)
    memmap.flush()
    with ShardWriter(root / "store" / "shard-0.h5", _FEATURE_HASH) as writer:
        for index in range(samples):
            writer.add(str(index), memmap[index])
    write_manifest(root / "store", _FEATURE_HASH, "chorale bench store")
    for name, options in (("plain.h5", {}), ("chunked.h5", {"chunks": True})):
        with h5py.File(root / name, "w") as file:
            dataset = file.create_dataset("samples", shape=shape, dtype=np.float32, **options)
            for start in range(0, samples, _BLOCK):
                dataset[start : start + _BLOCK] = memmap[start : start + _BLOCK]
    return {
        "memmap": lambda: _memmap_reader(root / "memmap.bin", shape),
        "store": lambda: _store_reader(root / "store"),
        "h5py": lambda: _h5py_reader(root / "plain.h5"),
        "h5py chunked": lambda: _h5py_reader(root / "chunked.h5"),
    }


def _memmap_reader(path: Path, shape: tuple[int, int, int]) -> Callable[[int], Array]:
    memmap = np.memmap(path, dtype=np.float32, mode="r", shape=shape)
    return lambda index: np.array(memmap[index])


def _store_reader(directory: Path) -> Callable[[int], Array]:
    store = Store.open(directory)
    return lambda index: store[str(index)]


def _h5py_reader(path: Path) -> Callable[[int], Array]:
    dataset = h5py.File(path, "r")["samples"]

    def read(index: int) -> Array:
        array: Array = dataset[index]
        return array

    return read


def _time(iterator: Iterator[Any]) -> float:
    started = time.perf_counter()
    for _ in iterator:
        pass
    return time.perf_counter() - started


def _spread(values: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 3),
        "min": round(min(values), 3),
        "max": round(max(values), 3),
    }
