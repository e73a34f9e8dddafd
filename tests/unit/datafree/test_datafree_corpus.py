"""Claims about images in memory: their scale, their order, crops, and the toy in the plane."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from chorale.experiments.datafree.corpus.augmentation import augment
from chorale.experiments.datafree.corpus.data import ImageData, LabelledImages, denormalise, normalise, scale_of
from chorale.experiments.datafree.corpus.moons import two_moons
from chorale.experiments.datafree.corpus.order import ShuffledOrder
from chorale.training.task import slice_of

pytestmark = pytest.mark.unit


def _images(count: int = 40, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, channels, 8, 8), dtype=np.uint8)


def test_normalised_training_images_have_mean_0_and_deviation_1_in_each_channel() -> None:
    images = _images()
    found = normalise(images, scale_of(images)).double()
    torch.testing.assert_close(found.mean(dim=(0, 2, 3)), torch.zeros(3, dtype=torch.float64), atol=1e-6, rtol=0)
    torch.testing.assert_close(
        found.var(dim=(0, 2, 3), unbiased=False), torch.ones(3, dtype=torch.float64), atol=1e-5, rtol=0
    )


def test_images_of_one_colour_are_not_divided_by_0() -> None:
    images = np.full((4, 1, 8, 8), 7, dtype=np.uint8)
    assert torch.isfinite(normalise(images, scale_of(images))).all()


def test_what_was_normalised_is_shown_as_it_was() -> None:
    images = _images(channels=1)
    scale = scale_of(images)
    np.testing.assert_array_equal(denormalise(normalise(images, scale), scale), images)


def test_a_pass_has_every_image_once_and_the_next_pass_another_order() -> None:
    order = ShuffledOrder(count=10, batch=4, seed=3)
    whole = slice_of(4, 0, 1)
    seen = np.concatenate([order.indices(step, whole) for step in range(5)])
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10))
    assert list(seen[:10]) != list(seen[10:])


def test_two_ranks_have_the_images_of_one() -> None:
    order = ShuffledOrder(count=10, batch=5, seed=3)
    parts = [order.indices(3, slice_of(5, rank, 2)) for rank in range(2)]
    np.testing.assert_array_equal(np.concatenate(parts), order.indices(3, slice_of(5, 0, 1)))


def test_crops_and_reflections_are_windows_of_the_padded_image() -> None:
    images = torch.randn(6, 3, 8, 8)
    found = augment(images, "crop-flip", seed=1, step=2, first_sample=0)
    padded = torch.nn.functional.pad(images, (4, 4, 4, 4))
    for before, after in zip(padded, found, strict=True):
        windows = [before[:, top : top + 8, left : left + 8] for top in range(9) for left in range(9)]
        assert any(torch.equal(after, one) or torch.equal(after, one.flip(2)) for one in windows)
    assert not torch.equal(found, images)


def test_an_image_is_augmented_alike_whatever_rank_has_it() -> None:
    images = torch.randn(6, 1, 8, 8)
    whole = augment(images, "crop-flip", seed=1, step=2, first_sample=0)
    torch.testing.assert_close(augment(images[4:], "crop-flip", seed=1, step=2, first_sample=4), whole[4:])
    torch.testing.assert_close(augment(images, "none", seed=1, step=2, first_sample=0), images)


def test_the_moons_are_those_of_an_independent_implementation() -> None:
    make_moons = pytest.importorskip("sklearn.datasets").make_moons
    points, labels = two_moons(50, 0.0, seed=0, part="train")
    theirs, their_labels = make_moons(50, shuffle=False, noise=0.0)
    scaled = points[:, :, 0, 0].astype(np.float64) * np.array([0.87, 0.49]) + np.array([0.5, 0.25])
    np.testing.assert_allclose(scaled, theirs, atol=1e-6)
    np.testing.assert_array_equal(labels, their_labels)


def test_points_are_their_own_scale() -> None:
    train, test = (LabelledImages(*two_moons(20, 0.1, 0, part)) for part in ("train", "test"))
    data = ImageData(train, test, ("one", "other"))
    found, _ = data.batch(data.train, range(20))
    np.testing.assert_array_equal(found.numpy(), train.images)
    assert not np.array_equal(train.images, test.images)
    assert tuple(data.shape) == (2, 1, 1)
