import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from chorale.data.store.manifest import write_manifest
from chorale.data.store.reader import Store
from chorale.data.store.shard import ShardWriter

pytestmark = pytest.mark.distributed
SAMPLES = 200


class Samples(Dataset):
    def __init__(self, store: Store) -> None:
        self.store = store

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, index: int) -> tuple[int, int, torch.Tensor]:
        return index, os.getpid(), torch.from_numpy(self.store[self.store.keys[index]])


def sample(index: int) -> np.ndarray:
    return np.random.default_rng(index).standard_normal((30, 8)).astype(np.float32)


@pytest.mark.parametrize("start_method", ["fork", "spawn"])
@pytest.mark.parametrize("compression", [None, "lzf"])
def test_loader_workers_read_what_was_written_though_the_parent_had_read_before(
    tmp_path: Path, start_method: str, compression
):
    for shard in range(2):
        with ShardWriter(tmp_path / f"shard-{shard}.h5", "hash", compression) as writer:
            for index in range(shard, SAMPLES, 2):
                writer.add(f"{index}", sample(index))
    write_manifest(tmp_path, "hash", "rebuild {shard}")
    store = Store.open(tmp_path)
    for key in store.keys:
        store[key]
    loader = DataLoader(Samples(store), batch_size=7, shuffle=True, num_workers=2, multiprocessing_context=start_method)
    seen, workers = [], set()
    for indices, pids, batch in loader:
        workers.update(pids.tolist())
        for index, array in zip(indices.tolist(), batch, strict=True):
            np.testing.assert_array_equal(array.numpy(), sample(int(store.keys[index])))
            seen.append(index)
        # The parent reads on beside its workers.
        np.testing.assert_array_equal(store["0"], sample(0))
    assert sorted(seen) == list(range(SAMPLES))
    assert len(workers) == 2
    assert os.getpid() not in workers
