import os
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from chorale.core.errors import InputError
from chorale.data.store.hdf5 import open_shard, shard_error
from chorale.data.store.manifest import write_manifest
from chorale.data.store.reader import Store
from chorale.data.store.shard import ShardWriter, read_record, shard_is_complete

pytestmark = pytest.mark.unit
REBUILD = "chorale features build --only {shard}"


def arrays(seed: int, count: int = 5) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    return {f"s{seed}/{i:04d}": generator.standard_normal((10 + i, 4)).astype(np.float32) for i in range(count)}


def build(directory: Path, shards: int = 2, compression=None) -> dict[str, np.ndarray]:
    everything = {}
    for shard in range(shards):
        with ShardWriter(directory / f"shard-{shard}.h5", "hash", compression) as writer:
            for key, array in arrays(shard).items():
                writer.add(key, array)
        everything.update(arrays(shard))
    write_manifest(directory, "hash", REBUILD)
    return everything


@pytest.mark.parametrize("compression", [None, "lzf"])
def test_what_was_written_is_read_back_in_any_order(tmp_path: Path, compression):
    expected = build(tmp_path, compression=compression)
    store = Store.open(tmp_path, "hash")
    assert list(store.keys) == list(expected)
    assert len(store) == 10
    for key in reversed(store.keys):
        np.testing.assert_array_equal(store[key], expected[key])
        assert store.shape(key) == expected[key].shape
    store.verify()


@pytest.mark.parametrize("compression", [None, "lzf"])
def test_plain_h5py_reads_the_shard_too_and_finds_one_chunk_a_sample(tmp_path: Path, compression):
    expected = build(tmp_path, shards=1, compression=compression)
    with h5py.File(tmp_path / "shard-0.h5") as file:
        keys = [key.decode() for key in file["keys"][:]]
        assert keys == list(expected)
        for index, key in enumerate(keys):
            dataset = file["samples"][f"{index:08d}"]
            assert dataset.chunks == dataset.shape
            np.testing.assert_array_equal(dataset[:], expected[key])


def test_a_missing_shard_is_named_with_the_command_that_builds_it(tmp_path: Path):
    build(tmp_path)
    (tmp_path / "shard-1.h5").unlink()
    command = f"chorale features build --only {tmp_path / 'shard-1.h5'}"
    with pytest.raises(InputError, match=r"shard-1\.h5: shard is missing; build it again with: ") as caught:
        Store.open(tmp_path)
    assert str(caught.value).endswith(command)


def test_a_shard_cut_in_half_is_named_on_opening(tmp_path: Path):
    build(tmp_path)
    path = tmp_path / "shard-0.h5"
    size = path.stat().st_size
    os.truncate(path, size // 2)
    with pytest.raises(InputError, match=rf"shard-0\.h5: shard has {size // 2} of {size} bytes; build it again"):
        Store.open(tmp_path)


@pytest.mark.parametrize("compression", [None, "lzf"])
def test_a_shard_cut_after_opening_is_named_on_reading(tmp_path: Path, compression):
    expected = build(tmp_path, compression=compression)
    store = Store.open(tmp_path)
    os.truncate(tmp_path / "shard-0.h5", 1000)
    with pytest.raises(InputError, match=r"shard-0\.h5: shard is .*; build it again with: chorale features"):
        for key in expected:
            store[key]


@pytest.mark.parametrize("compression", [None, "lzf"])
def test_a_shard_overwritten_with_rubbish_is_named_on_reading(tmp_path: Path, compression):
    expected = build(tmp_path, compression=compression)
    path = tmp_path / "shard-0.h5"
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(InputError, match=r"shard-0\.h5: shard is damaged"):
        Store.open(tmp_path)[next(iter(expected))]


def test_one_flipped_byte_is_found_by_verify(tmp_path: Path):
    build(tmp_path)
    path = tmp_path / "shard-1.h5"
    data = bytearray(path.read_bytes())
    data[read_record(path).offsets[0]] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"shard-1\.h5: shard is damaged \(SHA-256 differs\); build it again"):
        Store.open(tmp_path).verify()


def test_a_failed_writer_leaves_nothing_behind(tmp_path: Path):
    with (
        pytest.raises(InputError, match="already written"),
        ShardWriter(tmp_path / "a.h5", "hash") as writer,
    ):
        writer.add("k", np.ones((2, 2), np.float32))
        writer.add("k", np.ones((2, 2), np.float32))
    with pytest.raises(InputError, match="no sample was written"), ShardWriter(tmp_path / "a.h5", "hash"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_whole_shard_of_the_same_features_is_recognised(tmp_path: Path):
    build(tmp_path)
    path = tmp_path / "shard-0.h5"
    assert shard_is_complete(path, "hash")
    assert not shard_is_complete(path, "other")
    os.truncate(path, path.stat().st_size - 1)
    assert not shard_is_complete(path, "hash")
    assert not shard_is_complete(tmp_path / "none.h5", "hash")


def test_a_manifest_refuses_shards_of_other_features_missing_ones_and_shared_keys(tmp_path: Path):
    with pytest.raises(InputError, match="holds no shards; build them with"):
        write_manifest(tmp_path, "hash", REBUILD)
    build(tmp_path)
    with pytest.raises(InputError, match="made by feature config hash, expected other"):
        write_manifest(tmp_path, "other", REBUILD)
    with pytest.raises(InputError, match=r"shard-2\.h5: shard is missing"):
        write_manifest(tmp_path, "hash", REBUILD, ["shard-0.h5", "shard-1.h5", "shard-2.h5"])
    with ShardWriter(tmp_path / "shard-9.h5", "hash") as writer:
        writer.add("s0/0000", np.ones((2, 2), np.float32))
    with pytest.raises(InputError, match=r"s0/0000 stands in shard-0\.h5 too"):
        write_manifest(tmp_path, "hash", REBUILD)


def test_a_store_of_other_features_is_refused(tmp_path: Path):
    build(tmp_path)
    with pytest.raises(InputError, match="made by feature config hash, expected newer"):
        Store.open(tmp_path, "newer")


def test_an_open_store_travels_in_a_pickle_without_its_handles(tmp_path: Path):
    expected = build(tmp_path)
    store = Store.open(tmp_path)
    key = next(iter(expected))
    store[key]
    copy = pickle.loads(pickle.dumps(store))  # noqa: S301 (our own)
    np.testing.assert_array_equal(copy[key], expected[key])


def test_a_disk_without_locks_gets_its_own_advice(tmp_path: Path):
    (tmp_path / "a.h5").touch()
    error = OSError("Unable to open file (unable to lock file, errno = 524, error message = 'Unknown error 524')")
    assert "set HDF5_USE_FILE_LOCKING=FALSE" in str(shard_error(tmp_path / "a.h5", error, "build it"))
    assert os.environ["HDF5_USE_FILE_LOCKING"]
    with pytest.raises(InputError, match="shard is damaged"):
        open_shard(tmp_path / "a.h5", "build it")
