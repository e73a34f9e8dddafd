import math

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from chorale.experiments.datafree.metrics.accuracy import count
from chorale.experiments.datafree.metrics.collapse import (
    Thresholds,
    figures,
    is_collapsed,
    label_entropy,
    label_histogram,
)

pytestmark = pytest.mark.unit
EVEN = torch.tensor([5, 5, 5, 5])
THRESHOLDS = Thresholds(deviation=0.1, label_entropy=0.3)


def test_right_answers_and_agreement_are_counted_apart():
    student = torch.tensor([[2.0, 1.0], [0.0, 1.0], [5.0, 1.0], [1.0, 3.0]])
    teacher = torch.tensor([[1.0, 0.0], [3.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    assert count(student, teacher, torch.tensor([0, 1, 1, 0])) == (4, 2, 2)


def test_counts_of_slices_add_up_to_those_of_the_batch():
    generator = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(50, 4, generator=generator) for _ in range(2))
    labels = torch.randint(4, (50,), generator=generator)
    parts = [count(student[part], teacher[part], labels[part]) for part in (slice(0, 13), slice(13, 50))]
    assert tuple(map(sum, zip(*parts, strict=True))) == count(student, teacher, labels)


def test_deviation_and_distance_of_two_pairs_are_those_worked_by_hand():
    images = torch.tensor([[0.0, 1.0], [4.0, 1.0], [0.0, 3.0], [0.0, 3.0]]).view(4, 1, 1, 2)
    found = figures(images, EVEN)
    assert found.deviation == pytest.approx((2.0 + math.sqrt(4 / 3)) / 2)
    assert found.distance == pytest.approx((math.sqrt(8.0) + 0.0) / 2)


def test_independent_images_have_deviation_1_and_distance_root_2():
    images = torch.randn(400, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    found = figures(images, EVEN)
    assert found.deviation == pytest.approx(1.0, abs=0.02)
    assert found.distance == pytest.approx(math.sqrt(2.0), abs=0.03)
    assert not is_collapsed(found, THRESHOLDS)


def test_equal_images_have_collapsed_however_their_labels_are_spread():
    images = torch.randn(1, 3, 4, 4).expand(10, -1, -1, -1)
    found = figures(images, EVEN)
    assert found.deviation == pytest.approx(0.0, abs=1e-9) and found.distance == 0.0
    assert is_collapsed(found, THRESHOLDS)


def test_different_images_of_one_class_have_collapsed():
    found = figures(torch.randn(10, 1, 4, 4), torch.tensor([0, 10, 0, 0]))
    assert found.label_entropy == 0.0
    assert is_collapsed(found, THRESHOLDS)


def test_one_image_has_no_diversity_and_of_an_odd_batch_the_last_has_no_neighbour():
    with pytest.raises(ValueError, match="one image"):
        figures(torch.zeros(1, 1, 2, 2), EVEN)
    images = torch.randn(5, 1, 2, 2)
    assert figures(images, EVEN).distance == pytest.approx(figures(images[:4], EVEN).distance)


def test_the_histogram_counts_the_teachers_choices_and_classes_that_it_never_makes():
    logits = torch.tensor([[0.0, 2.0, 1.0, 0.0], [3.0, 2.0, 1.0, 0.0], [0.0, 2.0, 1.0, 0.0]])
    assert label_histogram(logits).tolist() == [1, 2, 0, 0]


def test_the_entropy_of_labels_is_in_units_of_its_largest_value():
    assert label_entropy(EVEN) == pytest.approx(1.0)
    assert label_entropy(torch.tensor([7, 7, 0, 0])) == pytest.approx(0.5)
    counts = np.array([3, 1, 0, 9, 2])
    assert label_entropy(torch.from_numpy(counts)) == pytest.approx(entropy(counts, base=2) / math.log2(5))
    with pytest.raises(ValueError, match="no images were counted"):
        label_entropy(torch.zeros(3, dtype=torch.int64))
