from pathlib import Path

import pytest

from chorale.data.store.bench import bench_store

pytestmark = pytest.mark.unit


def test_the_bench_measures_four_sources_with_and_without_loader_and_cleans_up(tmp_path: Path):
    result = bench_store(
        samples=64, frames=20, dim=8, batch=16, workers=0, repeats=2, chunked_samples=16, directory=tmp_path
    )
    for kind in ("loader", "alone"):
        assert set(result["samples_per_s"][kind]) == {"memmap", "store", "h5py", "h5py chunked"}
        assert set(result["ratio_to_memmap"][kind]) == {"store", "h5py", "h5py chunked"}
        for spread in result["samples_per_s"][kind].values():
            assert 0 < spread["min"] <= spread["median"] <= spread["max"]
    assert list(tmp_path.iterdir()) == []
