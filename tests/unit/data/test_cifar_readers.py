import json
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chorale.core.errors import InputError
from chorale.data.corpora.cifar import CIFAR10
from chorale.data.corpora.cifar_sheets import read_sheets
from chorale.data.corpora.image_config import ImagesConfig
from chorale.data.corpora.images import ImageSet, read_images

pytestmark = pytest.mark.unit
BATCHES = (*CIFAR10.train, CIFAR10.test)


def batch(seed: int, n_classes: int = 10, count: int = 3) -> ImageSet:
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)
    return ImageSet(images, generator.integers(0, n_classes, count))


def write_binary(path: Path, images: ImageSet, coarse: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for image, label in zip(*images, strict=True):
            file.write(bytes([int(label) // 5, int(label)] if coarse else [int(label)]) + image.tobytes())


def python2(images: ImageSet, label_key: str = "labels") -> bytes:
    """Return a batch as cPickle of Python 2 wrote it in CIFAR's archive: opcode by opcode, texts as bytes."""

    def text(value: str) -> bytes:
        return b"U" + bytes([len(value)]) + value.encode()

    def integer(value: int) -> bytes:
        return b"M" + struct.pack("<H", value)

    content = images.images.reshape(len(images.images), -1).tobytes()
    labels = b"".join(b"K" + bytes([int(label)]) for label in images.labels)
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85" + text("b") + b"\x87R"
        b"(K\x01" + integer(len(images.images)) + integer(3072) + b"\x86"
        b"cnumpy\ndtype\nq\x03" + text("u1") + b"K\x00K\x01\x87R(K\x03" + text("|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff"
        b"\xff\xffK\x00tb\x89T" + struct.pack("<i", len(content)) + content + b"tb"
    )
    return (
        b"\x80\x02}("
        + text("batch_label")
        + text("batch")
        + text(label_key)
        + b"]("
        + labels
        + b"e"
        + (text("data") + array + b"u.")
    )


def python3(images: ImageSet, label_key: str = "labels", protocol: int = 4, as_bytes: bool = False) -> bytes:
    entries = {"data": images.images.reshape(len(images.images), -1), label_key: [int(x) for x in images.labels]}
    return pickle.dumps({k.encode(): v for k, v in entries.items()} if as_bytes else entries, protocol=protocol)


def tree(root: Path, encode: Callable[[ImageSet], bytes] = python2) -> Path:
    """Write the Python version of six batches, each of three images."""
    root.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(BATCHES):
        (root / name).write_bytes(encode(batch(seed)))
    return root


def sheets(root: Path) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(BATCHES):
        rows = batch(seed).images.transpose(0, 2, 3, 1).reshape(-1, 1024, 3)
        Image.fromarray(rows).save(root / f"{name}.png")
    labels = [int(label) for seed in range(len(BATCHES)) for label in batch(seed).labels]
    (root / "train_lables.json").write_text(json.dumps(labels[:15]))
    (root / "test_lables.json").write_text(json.dumps(labels[15:]))
    return root


def read(root: Path, layout: str = "cifar10"):
    return read_images(ImagesConfig(layout=layout, root=root), root)


def same(one: ImageSet, other: ImageSet) -> bool:
    return np.array_equal(one.images, other.images) and np.array_equal(one.labels, other.labels)


def test_the_binary_the_python_and_the_sheet_version_of_the_same_images_are_equal(tmp_path: Path):
    for seed, name in enumerate(BATCHES):
        write_binary(tmp_path / f"binary/{name}.bin", batch(seed))
    binary, python = read(tmp_path / "binary"), read(tree(tmp_path / "python"))
    train, test = read_sheets(sheets(tmp_path / "sheets"))
    assert same(binary.train, python.train)
    assert same(binary.train, train)
    assert same(binary.test, python.test)
    assert same(binary.test, test)
    assert same(binary.test, batch(5))
    assert np.array_equal(binary.train.images[3:6], batch(1).images)
    assert binary.train.images.dtype == train.images.dtype == python.train.images.dtype == np.uint8
    assert binary.train.labels.dtype == train.labels.dtype == python.train.labels.dtype == np.int64
    assert binary.classes == python.classes == CIFAR10.classes


def test_the_stand_in_for_python_2_is_what_pickle_reads_as_a_batch():
    entries = pickle.loads(python2(batch(0)), encoding="bytes")  # noqa: S301 (our own bytes)
    assert np.array_equal(entries[b"data"].reshape(-1, 3, 32, 32), batch(0).images)
    assert entries[b"labels"] == batch(0).labels.tolist()


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize("as_bytes", [False, True])
def test_batches_that_python_3_saved_again_are_read(tmp_path: Path, protocol: int, as_bytes: bool):
    root = tree(tmp_path, lambda images: python3(images, protocol=protocol, as_bytes=as_bytes))
    assert same(read(root).test, batch(5))


def test_an_array_stored_by_columns_is_read_as_it_was(tmp_path: Path):
    tree(tmp_path)
    pixels = np.asfortranarray(batch(5).images.reshape(3, -1))
    content = pickle.dumps({"data": pixels, "labels": batch(5).labels.tolist()}, protocol=4)
    (tmp_path / "test_batch").write_bytes(content)
    assert same(read(tmp_path).test, batch(5))


@pytest.mark.parametrize("folder", ["", "cifar-10-batches-py"])
def test_the_batches_are_found_within_the_archives_folder(tmp_path: Path, folder: str):
    tree(tmp_path / folder)
    assert same(read(tmp_path).test, batch(5))


@pytest.mark.parametrize("folder", ["", "cifar-100-binary"])
def test_of_cifar_100_the_fine_label_is_the_class(tmp_path: Path, folder: str):
    for seed, name in enumerate(("train", "test")):
        write_binary(tmp_path / folder / f"{name}.bin", batch(seed, 100), coarse=True)
    (tmp_path / folder / "fine_label_names.txt").write_text("".join(f"name_{n}\n" for n in range(100)))
    python = tmp_path / "python/cifar-100-python"
    python.mkdir(parents=True)
    for seed, name in enumerate(("train", "test")):
        entries = python3(batch(seed, 100), "fine_labels") if seed else python2(batch(seed, 100), "fine_labels")
        (python / name).write_bytes(entries)
    names = {"fine_label_names": [f"name_{n}" for n in range(100)], "coarse_label_names": ["x"]}
    (python / "meta").write_bytes(pickle.dumps(names, protocol=2))
    one, other = read(tmp_path, "cifar100"), read(tmp_path / "python", "cifar100")
    assert same(one.train, other.train)
    assert same(one.test, batch(1, 100))
    assert max(one.train.labels.max(), one.test.labels.max()) >= 20
    assert one.classes == other.classes == tuple(f"name_{n}" for n in range(100))


def test_without_names_the_classes_of_cifar_100_are_numbers(tmp_path: Path):
    for seed, name in enumerate(("train", "test")):
        write_binary(tmp_path / f"{name}.bin", batch(seed, 100), coarse=True)
    assert read(tmp_path, "cifar100").classes == tuple(str(n) for n in range(100))
    (tmp_path / "fine_label_names.txt").write_text("apple\n")
    with pytest.raises(InputError, match=r"fine_label_names\.txt: 1 names for 100 classes; restore or remove"):
        read(tmp_path, "cifar100")


class Call:
    """Calls a function when it is unpickled."""

    def __init__(self, function, *arguments) -> None:
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_hostile_pickle_is_refused_and_runs_nothing(tmp_path: Path, protocol: int):
    marker = tmp_path / "marker"
    evil = Call(os.mkdir, str(marker))
    pickle.loads(pickle.dumps(evil, protocol))  # noqa: S301 (our own bytes)
    assert marker.is_dir(), "the pickle would do nothing to anyone"
    marker.rmdir()
    tree(tmp_path)
    images = batch(0)
    for entries in (
        evil,
        {"data": images.images.reshape(3, -1), "labels": images.labels.tolist(), "more": evil},
        {"data": evil, "labels": [0]},
    ):
        (tmp_path / "data_batch_2").write_bytes(pickle.dumps(entries, protocol))
        with pytest.raises(
            InputError, match=r"data_batch_2: asks for posix\.mkdir, which no CIFAR batch needs; do not"
        ):
            read(tmp_path)
        assert not marker.exists()


@pytest.mark.parametrize(
    ("content", "asked"),
    [
        (b"cbuiltins\neval\n(Vprint(1)\ntR.", r"builtins\.eval"),
        (b"c__builtin__\neval\n(Vprint(1)\ntR.", r"__builtin__\.eval"),
        (b"cnumpy\nload\n(Vx\ntR.", r"numpy\.load"),
        (b"cnumpy.core.multiarray\nfromfile\n(Vx\ntR.", r"numpy\.core\.multiarray\.fromfile"),
        (b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.__init__\x93.", r"numpy\.ndarray\.__init__"),
        (b"ios\nsystem\n.", r"os\.system"),
        (b"Pelsewhere\n.", "something outside the file"),
    ],
)
def test_every_way_to_ask_for_a_name_is_closed(tmp_path: Path, content: bytes, asked: str):
    tree(tmp_path)
    (tmp_path / "test_batch").write_bytes(b"(" + content if content[:1] == b"i" else content)
    with pytest.raises(InputError, match=rf"test_batch: asks for {asked}, which no CIFAR batch needs"):
        read(tmp_path)


def test_a_pickle_leaves_nothing_behind_in_what_it_was_given(tmp_path: Path):
    tree(tmp_path)
    # BUILD sets attributes, here {"checked": 1}, on what lies below it, if that lets it: by its __dict__ or by setattr.
    attributes = b"}X\x07\x00\x00\x00checkedK\x01s"
    for name in (b"numpy\nndarray", b"numpy\ndtype", b"numpy.core.multiarray\n_reconstruct", b"_codecs\nencode"):
        for state in (attributes, b"N" + attributes + b"\x86"):
            (tmp_path / "test_batch").write_bytes(b"\x80\x02c" + name + b"\n" + state + b"b.")
            with pytest.raises(InputError, match="test_batch: not a readable batch"):
                read(tmp_path)
    (tmp_path / "test_batch").write_bytes(python2(batch(5)))
    assert same(read(tmp_path).test, batch(5))


def pickled(**entries) -> bytes:
    return pickle.dumps(entries, protocol=4)


PIXELS = np.zeros((2, 3072), np.uint8)
GOOD = pickled(data=PIXELS, labels=[0, 1])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"not a readable batch \(.*\); restore it from CIFAR's archive"),
        (b"not a pickle", r"not a readable batch"),
        (GOOD[: len(GOOD) // 2], r"not a readable batch \(pickle data was truncated\)"),
        (pickle.dumps([1, 2]), r"holds no mapping"),
        (pickled(labels=[0, 1]), r"has no data; check corpus\.layout"),
        (pickled(data=PIXELS, fine_labels=[0, 1]), r"has no labels; check corpus\.layout"),
        (pickled(data=[0], labels=[0]), r"data is no array"),
        (pickled(data=PIXELS.astype(float), labels=[0, 1]), r"data is no array of bytes \(uint8\)"),
        (pickled(data=PIXELS[:, :100], labels=[0, 1]), r"data of shape \(2, 100\), but \(n, 3072\) was expected"),
        (pickled(data=PIXELS[0], labels=[0]), r"data is damaged"),
        (GOOD.replace(b"M\x00\x0c", b"M\x01\x0c"), r"data is damaged: its shape and its bytes do not agree"),
        (pickled(data=PIXELS, labels=np.array([0, 1])), r"labels is no list of whole numbers"),
        (pickled(data=PIXELS, labels=[0, True]), r"labels is no list of whole numbers"),
        (pickled(data=PIXELS, labels=[0]), r"1 labels for 2 images"),
        (pickled(data=PIXELS, labels=[0, 10]), r"label 10 of image 1, but labels are 0 to 9"),
        (pickled(data=PIXELS, labels=[0, -1]), r"label -1 of image 1, but labels are 0 to 9"),
        (pickled(data=PIXELS, labels=[0, 1 << 80]), r"holds a label beyond 64 bits"),
    ],
)
def test_a_damaged_batch_is_told_in_one_line_with_its_name(tmp_path: Path, content: bytes, message: str):
    tree(tmp_path)
    (tmp_path / "data_batch_3").write_bytes(content)
    with pytest.raises(InputError, match=rf"data_batch_3: {message}") as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_damaged_binary_batch_is_told(tmp_path: Path):
    for seed, name in enumerate(BATCHES):
        write_binary(tmp_path / f"{name}.bin", batch(seed))
    path = tmp_path / "data_batch_4.bin"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(InputError, match=r"data_batch_4\.bin: 9218 bytes are no whole number of images \(3073 bytes"):
        read(tmp_path)
    path.write_bytes(b"\x0b" + content[1:])
    with pytest.raises(InputError, match=r"data_batch_4\.bin: label 11 of image 0, but labels are 0 to 9"):
        read(tmp_path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match=r"data_batch_4\.bin: holds no images"):
        read(tmp_path)
    path.unlink()
    with pytest.raises(InputError, match=r"data_batch_4\.bin: no such file; restore it"):
        read(tmp_path)


def test_a_tree_without_cifar_is_told(tmp_path: Path):
    with pytest.raises(InputError, match=r"holds neither data_batch_1\.bin nor data_batch_1; check corpus\.root"):
        read(tmp_path)
    with pytest.raises(InputError, match=r"holds neither train\.bin nor train; check"):
        read(tree(tmp_path), "cifar100")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train_lables.json", "{", r"train_lables\.json: not a JSON file"),
        ("train_lables.json", "{}", r"train_lables\.json: not a list of whole numbers"),
        ("train_lables.json", "[1, 2.5]", r"train_lables\.json: not a list of whole numbers"),
        ("test_lables.json", "[1, 2]", r"test_lables\.json: 2 labels for 3 images"),
        ("test_lables.json", "[1, 2, 10]", r"test_lables\.json: label 10 of image 2"),
        ("test_batch.png", "", r"test_batch\.png: not a readable image"),
        ("data_batch_1.png", None, r"data_batch_1\.png: no such file"),
        ("train_lables.json", None, r"train_lables\.json: no such file"),
    ],
)
def test_a_damaged_package_is_told_with_the_files_name(tmp_path: Path, name: str, content: str | None, message: str):
    path = sheets(tmp_path) / name
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(InputError, match=message):
        read_sheets(tmp_path)


def test_a_sheet_of_another_width_is_refused(tmp_path: Path):
    Image.fromarray(np.zeros((3, 1000, 3), np.uint8)).save(sheets(tmp_path) / "data_batch_2.png")
    with pytest.raises(InputError, match=r"data_batch_2\.png: 1000 pixels wide, but 1024 were expected"):
        read_sheets(tmp_path)
