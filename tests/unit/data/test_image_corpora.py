import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from chorale.core.errors import InputError
from chorale.data.corpora import catalogue
from chorale.data.corpora.image_cache import cached_images
from chorale.data.corpora.image_config import CORPUS_OF_IMAGE_LAYOUT, ImagesConfig
from chorale.data.corpora.images import ImageSet, limit_images, read_images
from chorale.data.corpora.packages import RECORD

pytestmark = pytest.mark.unit


def colour(path: Path, value: int, width: int = 4, height: int = 4) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((height, width, 3), value, np.uint8)).save(path)
    return path


def folders(root: Path, test: str = "test") -> Path:
    """Write two classes: cats are dark, dogs are bright."""
    for part, count in (("train", 3), (test, 2)):
        for number in range(count):
            colour(root / part / "dog" / f"{number}.png", 200 + number)
            colour(root / part / "cat" / f"{number}.bmp", 100 + number)
    return root


def read(root: Path, **changes):
    return read_images(ImagesConfig(layout="folder", root=root, **changes), root)


def images(labels: list[int]) -> ImageSet:
    """Return images that each hold their own number."""
    numbers = np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1, 1)
    return ImageSet(numbers, np.array(labels, dtype=np.int64))


@pytest.mark.parametrize("test", ["test", "val"])
def test_a_folder_per_class_is_read_sorted_by_class_and_name(tmp_path: Path, test: str):
    corpus = read(folders(tmp_path, test))
    assert corpus.classes == ("cat", "dog")
    assert corpus.train.images.shape == (6, 3, 4, 4)
    assert corpus.train.images[:, 0, 0, 0].tolist() == [100, 101, 102, 200, 201, 202]
    assert corpus.train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert corpus.test.images[:, 0, 0, 0].tolist() == [100, 101, 200, 201]
    assert corpus.test.labels.dtype == np.int64


def test_test_is_taken_where_val_is_there_too(tmp_path: Path):
    folders(tmp_path)
    colour(tmp_path / "val/horse/0.png", 1)
    assert len(read(tmp_path).test.labels) == 4


def test_folder_images_are_scaled_cut_and_turned_grey_on_demand(tmp_path: Path):
    folders(tmp_path)
    colour(tmp_path / "train/cat/0.bmp", 50, width=20, height=10)
    corpus = read(tmp_path, size=2, channels=1)
    assert corpus.train.images.shape == (6, 1, 2, 2)
    assert corpus.train.images[0].tolist() == [[[50, 50], [50, 50]]]


def test_images_deeper_down_count_and_hidden_ones_do_not(tmp_path: Path):
    folders(tmp_path)
    colour(tmp_path / "train/cat/images/x.JPEG", 110)
    (tmp_path / "train/cat/._0.png").write_bytes(b"left by a system")
    (tmp_path / "train/cat/.ipynb_checkpoints").mkdir()
    (tmp_path / "train/cat/.ipynb_checkpoints/0.png").write_bytes(b"left by an editor")
    (tmp_path / "train/cat/notes.txt").write_text("no image")
    (tmp_path / "train/.cache").mkdir()
    assert len(read(tmp_path).train.labels) == 7


def test_an_unreadable_image_is_named_in_one_line(tmp_path: Path):
    folders(tmp_path)
    (tmp_path / "test/dog/1.png").write_bytes(b"no image")
    with pytest.raises(
        InputError, match=r"test/dog/1\.png: not a readable image \(.*\); replace or remove it"
    ) as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)


def test_classes_of_one_part_alone_are_told(tmp_path: Path):
    folders(tmp_path)
    colour(tmp_path / "test/horse/0.png", 1)
    with pytest.raises(InputError, match=r"test/horse: a class of test alone; give both parts the same classes"):
        read(tmp_path)
    colour(tmp_path / "train/bird/0.png", 1)
    with pytest.raises(InputError, match=r"train/bird: a class of train alone and 1 more; give"):
        read(tmp_path)


def test_folders_that_are_missing_or_empty_are_told(tmp_path: Path):
    with pytest.raises(InputError, match=r"train: no such directory; check corpus\.root"):
        read(tmp_path)
    (tmp_path / "train").mkdir()
    with pytest.raises(InputError, match=r"train: holds no folder of a class"):
        read(tmp_path)
    folders(tmp_path)
    (tmp_path / "train/horse").mkdir()
    (tmp_path / "test/horse").mkdir()
    with pytest.raises(InputError, match=r"train/horse: holds no image \(\.bmp, \.jpeg, .*\); add some, or remove it"):
        read(tmp_path)


def test_images_of_several_sizes_need_one_that_is_set(tmp_path: Path):
    folders(tmp_path)
    colour(tmp_path / "train/dog/2.png", 1, width=5, height=7)
    with pytest.raises(InputError, match=r"dog/2\.png: 5 x 7 pixels, but .*cat/0\.bmp has 4 x 4; set corpus\.size"):
        read(tmp_path)
    assert read(tmp_path, size=4).train.images.shape == (6, 3, 4, 4)


def test_a_limit_keeps_a_balanced_corpus_balanced_and_its_order():
    everything = images([n % 10 for n in range(200)])
    some = limit_images(everything, 50)
    assert np.bincount(some.labels).tolist() == [5] * 10
    numbers = some.images.ravel()
    assert (np.diff(numbers.astype(int)) > 0).all()
    assert [everything.labels[n] for n in numbers] == some.labels.tolist()
    # Of the 20 images of a class, five: the middle one of every four.
    assert [int(n) // 10 for n in numbers if n % 10 == 3] == [2, 6, 10, 14, 18]


def test_a_limit_keeps_the_share_of_every_class_to_within_one_image():
    labels = np.random.default_rng(3).choice(4, size=240, p=[0.55, 0.3, 0.1, 0.05])
    for maximum in (1, 7, 40, 99, 239):
        kept = np.bincount(limit_images(images(labels.tolist()), maximum).labels, minlength=4)
        assert kept.sum() == maximum
        assert np.abs(kept - maximum * np.bincount(labels) / 240).max() < 1


def test_a_limit_beyond_what_there_is_takes_all():
    everything = images([0, 1, 0])
    assert limit_images(everything, 3) is everything
    assert limit_images(everything, 4) is everything
    assert limit_images(everything, None) is everything


def test_each_part_has_a_limit_of_its_own(tmp_path: Path):
    corpus = read(folders(tmp_path), max_train=2)
    assert corpus.train.labels.tolist() == [0, 1]
    assert corpus.train.images[:, 0, 0, 0].tolist() == [101, 201]
    assert len(corpus.test.labels) == 4
    assert read(tmp_path, max_test=2).test.labels.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"layout": "cifar100"}, "layout cifar100 needs a root"),
        ({"layout": "folder"}, "layout folder needs a root"),
        ({"layout": "mnist", "size": 32}, "layout mnist takes no size"),
        ({"layout": "folder", "root": "x", "channels": 2}, "Input should be 1 or 3"),
        ({"max_train": 0}, "greater than or equal to 1"),
    ],
)
def test_a_config_that_cannot_be_read_is_refused(values: dict, message: str):
    with pytest.raises(ValidationError, match=message):
        ImagesConfig(**values)


def test_the_catalogue_has_a_corpus_for_every_layout_that_needs_no_root(tmp_path: Path):
    for layout, name in CORPUS_OF_IMAGE_LAYOUT.items():
        config = ImagesConfig(layout=layout)
        assert config.corpus == catalogue.find_corpus(name).name
        with pytest.raises(InputError, match=f"{name}: not fetched into .*; run: chorale corpora fetch {name}"):
            read_images(config, tmp_path)
        assert ImagesConfig(layout=layout, root=tmp_path).corpus is None


def test_the_package_of_cifar_10_is_decoded_once(tmp_path: Path):
    package = catalogue.CIFAR10_SHEETS.folder(tmp_path) / "package"
    package.mkdir(parents=True)
    (package.parent / RECORD).write_text("{}")
    names = [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]
    for number, name in enumerate(names):
        Image.fromarray(np.full((2, 1024, 3), number, np.uint8)).save(package / f"{name}.png")
    (package / "train_lables.json").write_text(json.dumps([0, 9] * 5))
    (package / "test_lables.json").write_text("[3, 4]")
    first = read_images(ImagesConfig(layout="cifar10"), tmp_path)
    assert first.train.images[:, 2, 31, 31].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    for name in names:
        (package / f"{name}.png").unlink()
    second = read_images(ImagesConfig(layout="cifar10", max_test=1), tmp_path)
    assert np.array_equal(second.train.images, first.train.images)
    assert second.train.labels.tolist() == [0, 9] * 5
    assert second.train.labels.dtype == np.int64
    assert second.test.labels.tolist() == [4]


def pair(value: int) -> tuple[ImageSet, ImageSet]:
    part = ImageSet(np.full((2, 1, 3, 3), value, np.uint8), np.array([0, 200]))
    return part, part


def stored(directory: Path, made_from: str = "one", value: int = 7) -> int:
    train, test = cached_images(directory, "x", made_from, lambda: pair(value))
    assert train.labels.tolist() == test.labels.tolist() == [0, 200]
    return int(train.images[0, 0, 0, 0])


def test_what_was_decoded_is_kept_under_what_it_was_made_from(tmp_path: Path):
    assert [stored(tmp_path, "one", 7), stored(tmp_path, "one", 8), stored(tmp_path, "two", 9)] == [7, 7, 9]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_damaged_store_is_decoded_again_and_that_is_said(tmp_path: Path, caplog):
    stored(tmp_path, value=7)
    (shard,) = tmp_path.glob("*/images.h5")
    shard.write_bytes(shard.read_bytes()[:-10])
    with caplog.at_level("WARNING"):
        assert stored(tmp_path, value=8) == 8
    assert "The images are decoded again" in caplog.text
    assert stored(tmp_path, value=9) == 8


def test_decoding_that_fails_leaves_nothing_behind(tmp_path: Path):
    def fail():
        raise InputError("a.png: not a readable image")

    with pytest.raises(InputError, match=r"a\.png"):
        cached_images(tmp_path, "x", "one", fail)
    assert list(tmp_path.iterdir()) == []


def test_of_two_readers_at_the_same_time_both_have_the_images(tmp_path: Path):
    def meanwhile() -> tuple[ImageSet, ImageSet]:
        stored(tmp_path, value=7)
        return pair(7)

    train, _ = cached_images(tmp_path, "x", "one", meanwhile)
    assert train.images[0, 0, 0, 0] == 7
    assert len(list(tmp_path.iterdir())) == 1
    assert stored(tmp_path, value=9) == 7


def test_a_cache_that_cannot_be_written_is_told_in_one_line(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"file: cannot be written \(File exists\); choose another directory"):
        stored(tmp_path / "file")
