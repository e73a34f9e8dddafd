import numpy as np
import pytest
import torch

from chorale.experiments.datafree.losses.interpolation import interpolate

pytestmark = pytest.mark.unit


def batch(size=6):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(size, 3, 4, 5, generator=generator)
    return images, torch.randn(size, 7, generator=generator), torch.rand(size // 2, generator=generator)


def test_a_pair_is_mixed_by_hand_and_its_mirror_stands_beside_it():
    images = torch.tensor([1.0, 5.0, 10.0, 20.0]).view(4, 1, 1, 1)
    labels = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 2.0], [4.0, 0.0]])
    mixed = interpolate(images, labels, torch.tensor([0.25, 1.0]))
    assert mixed.images.flatten().tolist() == [4.0, 2.0, 10.0, 20.0]
    assert mixed.labels.tolist() == [[0.25, 0.75], [0.75, 0.25], [2.0, 2.0], [4.0, 0.0]]


def test_images_and_labels_are_mixed_by_the_same_shares_as_the_formula_says():
    images, labels, shares = batch()
    mixed = interpolate(images, labels, shares)
    for k, share in enumerate(shares.numpy()):
        i, j = 2 * k, 2 * k + 1
        for values, found in ((images, mixed.images), (labels, mixed.labels)):
            one, other = values[i].numpy(), values[j].numpy()
            assert found[i].numpy() == pytest.approx(share * one + (1 - share) * other, abs=1e-6)
            assert found[j].numpy() == pytest.approx(share * other + (1 - share) * one, abs=1e-6)


def test_slices_that_begin_at_even_indices_make_the_samples_of_the_whole_batch():
    images, labels, shares = batch()
    whole = interpolate(images, labels, shares)
    parts = [
        interpolate(images[2 * part.start : 2 * part.stop], labels[2 * part.start : 2 * part.stop], shares[part])
        for part in (slice(0, 1), slice(1, 3))
    ]
    assert torch.equal(torch.cat([part.images for part in parts]), whole.images)
    assert torch.equal(torch.cat([part.labels for part in parts]), whole.labels)


def test_labels_that_are_probabilities_stay_so_and_the_mean_of_a_batch_is_kept():
    images, labels, shares = batch()
    mixed = interpolate(images, torch.softmax(labels, dim=1), shares)
    assert mixed.labels.sum(1).numpy() == pytest.approx(np.ones(6), abs=1e-6)
    assert torch.allclose(mixed.images.mean(0), images.mean(0), atol=1e-6)


def test_a_batch_that_does_not_make_pairs_is_refused():
    images, labels, shares = batch()
    with pytest.raises(ValueError, match="5 images do not make pairs"):
        interpolate(images[:5], labels[:5], shares[:2])
    with pytest.raises(ValueError, match="do not fit"):
        interpolate(images, labels, shares[:2])
    with pytest.raises(ValueError, match="do not fit"):
        interpolate(images, labels[:4], shares)
