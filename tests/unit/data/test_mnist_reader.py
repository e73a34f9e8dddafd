import gzip
import math
import struct
from pathlib import Path

import numpy as np
import pytest

from chorale.core.errors import InputError
from chorale.data.corpora.idx import read_idx
from chorale.data.corpora.image_config import ImagesConfig
from chorale.data.corpora.images import read_images

pytestmark = pytest.mark.unit
CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx(array: np.ndarray, code: int = 0x08) -> bytes:
    """Return an IDX file as the format's description has it, value by value."""
    header = bytes([0, 0, code, array.ndim]) + b"".join(struct.pack(">I", side) for side in array.shape)
    letter = {0x08: "B", 0x09: "b", 0x0B: "h", 0x0C: "i", 0x0D: "f", 0x0E: "d"}[code]
    return header + struct.pack(f">{math.prod(array.shape)}{letter}", *array.ravel().tolist())


def parts(seed: int = 0, train: int = 5, test: int = 3) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    arrays = {}
    for part, count in (("train", train), ("t10k", test)):
        arrays[f"{part}-images-idx3-ubyte"] = generator.integers(0, 256, (count, 4, 3), dtype=np.uint8)
        arrays[f"{part}-labels-idx1-ubyte"] = generator.integers(0, 10, count, dtype=np.uint8)
    return arrays


def tree(root: Path, arrays: dict[str, np.ndarray], compress: bool = False, mark: str = "-") -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        name = name.replace("-idx", f"{mark}idx")
        if compress:
            (root / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
        else:
            (root / name).write_bytes(idx(array))
    return root


def read(root: Path, layout: str = "mnist"):
    return read_images(ImagesConfig(layout=layout, root=root), root)


@pytest.mark.parametrize("kind", CODES)
def test_every_type_of_the_format_is_read_big_endian(tmp_path: Path, kind: str):
    array = np.array([[0, 1, 100], [120, 7, 50]]).astype(kind)
    array[0, 0] = np.iinfo(kind).min if kind[0] in "iu" else -0.1
    (tmp_path / "a").write_bytes(idx(array, CODES[kind]))
    found = read_idx(tmp_path / "a")
    assert found.dtype == np.dtype(kind)
    assert np.array_equal(found, array)


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("mark", ["-", "."])
def test_mnist_is_read_compressed_or_not(tmp_path: Path, compress: bool, mark: str):
    arrays = parts()
    corpus = read(tree(tmp_path, arrays, compress, mark))
    assert corpus.classes == tuple("0123456789")
    for part, name in ((corpus.train, "train"), (corpus.test, "t10k")):
        assert np.array_equal(part.images, arrays[f"{name}-images-idx3-ubyte"][:, np.newaxis])
        assert np.array_equal(part.labels, arrays[f"{name}-labels-idx1-ubyte"])
        assert (part.images.dtype, part.labels.dtype) == (np.uint8, np.int64)
        assert part.images.flags.writeable


def test_a_file_is_decompressed_for_its_content_and_not_for_its_name(tmp_path: Path):
    arrays = parts()
    tree(tmp_path, arrays)
    for path in tmp_path.iterdir():
        path.rename(path.with_name(f"{path.name}.gz"))
    assert np.array_equal(read(tmp_path).test.labels, arrays["t10k-labels-idx1-ubyte"])


def test_of_torchvisions_two_folders_each_layout_takes_its_own(tmp_path: Path):
    tree(tmp_path / "MNIST/raw", parts(1))
    tree(tmp_path / "FashionMNIST/raw", parts(2))
    digits, clothes = read(tmp_path, "mnist"), read(tmp_path, "fashion-mnist")
    assert np.array_equal(digits.train.images[:, 0], parts(1)["train-images-idx3-ubyte"])
    assert np.array_equal(clothes.train.images[:, 0], parts(2)["train-images-idx3-ubyte"])
    assert (clothes.classes[0], clothes.classes[9]) == ("T-shirt/top", "Ankle boot")


GOOD = idx(np.zeros((2, 4, 3), np.uint8))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"not an IDX file \(begins with nothing\); restore the file"),
        (b"\x00\x00\x08", r"not an IDX file \(begins with 00 00 08\)"),
        (b"\x89PNG" + GOOD, r"not an IDX file \(begins with 89 50 4e 47\)"),
        (b"\x00\x00\x0a\x03" + GOOD[4:], r"not an IDX file \(begins with 00 00 0a 03\)"),
        (b"\x00\x00\x08\x00" + GOOD[4:], r"not an IDX file \(begins with 00 00 08 00\)"),
        (b"\x00\x00\x08\xff" + GOOD[4:], r"not an IDX file \(begins with 00 00 08 ff\)"),
        (GOOD[:10], r"cut short within its header"),
        (GOOD[:-1], r"39 bytes, but its header tells of 40; restore the file"),
        (GOOD + b"\0", r"41 bytes, but its header tells of 40"),
        (b"\x00\x00\x08\x03" + b"\xff" * 12, r"16 bytes, but its header tells of 79228162458924105385300197391"),
        (gzip.compress(GOOD)[:-9], r"cannot be read \(Compressed file ended"),
        (gzip.compress(GOOD)[:-8] + bytes(8), r"cannot be read \(CRC check failed"),
        (b"\x1f\x8b\x08" + bytes(30), r"cannot be read \("),
    ],
)
def test_a_damaged_idx_file_is_told_in_one_line_with_its_name(tmp_path: Path, content: bytes, message: str):
    tree(tmp_path, parts())
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(InputError, match=rf"t10k-images-idx3-ubyte: {message}") as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("train-labels-idx1-ubyte", np.zeros(4, np.uint8), r"4 labels for 5 images; restore both files"),
        (
            "train-labels-idx1-ubyte",
            np.array([0, 9, 10, 0, 0], np.uint8),
            r"label 10 of image 2, but labels are 0 to 9",
        ),
        ("train-labels-idx1-ubyte", np.zeros((5, 1), np.uint8), r"2 dimensions of uint8, but labels have 1 of uint8"),
        ("train-images-idx3-ubyte", np.zeros((5, 3), np.uint8), r"2 dimensions of uint8, but images have 3 of uint8"),
        ("t10k-images-idx3-ubyte", np.zeros((3, 4, 4), np.uint8), r"images are 1 x 4 x 3 for training, 1 x 4 x 4 for"),
    ],
)
def test_files_that_do_not_belong_together_are_told(tmp_path: Path, name: str, array: np.ndarray, message: str):
    tree(tmp_path, {**parts(), name: array})
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_images_of_another_type_than_bytes_are_refused(tmp_path: Path):
    tree(tmp_path, parts())
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(np.zeros((5, 4, 3)), CODES["f8"]))
    with pytest.raises(InputError, match=r"3 dimensions of float64, but images have 3 of uint8"):
        read(tmp_path)


def test_a_corpus_without_images_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"t10k-labels-idx1-ubyte: holds no images; restore the file"):
        read(tree(tmp_path, parts(test=0)))


def test_a_missing_file_is_told_with_its_name(tmp_path: Path):
    with pytest.raises(InputError, match=r"holds no train-images-idx3-ubyte; check corpus\.root and corpus\.layout"):
        read(tmp_path)
    tree(tmp_path, parts())
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(InputError, match=r"t10k-labels-idx1-ubyte: no such file; check corpus\.root"):
        read(tmp_path)
    with pytest.raises(InputError, match=r"nowhere: no such directory; set corpus\.root"):
        read(tmp_path / "nowhere")
