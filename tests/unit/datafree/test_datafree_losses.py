import math

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from torch import nn
from torch.distributions import Normal, kl_divergence

from chorale.experiments.datafree.losses.batch_statistics import batch_statistics_kl
from chorale.experiments.datafree.losses.dafl import activation, information_entropy, one_hot, prediction_entropy
from chorale.experiments.datafree.losses.disagreement import (
    distillation_kl,
    generator_l1,
    generator_log_l1,
    logit_l1,
    soft_label_kl,
)
from chorale.experiments.datafree.networks.batch_statistics import BatchStatistics, LayerStatistics

pytestmark = pytest.mark.unit
STUDENT = torch.tensor([[1.0, 2.0], [0.0, -1.0], [4.0, 0.5]])
TEACHER = torch.tensor([[0.0, 4.0], [0.0, 0.0], [3.0, 3.5]])


def logits(seed, batch=6, classes=5):
    return 3.0 * torch.randn(batch, classes, generator=torch.Generator().manual_seed(seed))


def test_the_disagreement_is_the_mean_over_classes_and_the_sum_over_images():
    # (1 + 2) / 2 + (0 + 1) / 2 + (1 + 3) / 2
    assert float(logit_l1(STUDENT, TEACHER)) == pytest.approx(4.0)
    assert float(generator_l1(STUDENT, TEACHER)) == pytest.approx(-4.0)
    mean = nn.functional.l1_loss(logits(0), logits(1))
    assert float(logit_l1(logits(0), logits(1))) == pytest.approx(6 * float(mean), rel=1e-5)


def test_the_logarithmic_loss_of_the_generator_is_that_of_the_whole_batchs_mean_split_by_samples():
    total = logit_l1(logits(0), logits(1))
    expected = -math.log(float(total) / 6 + 1)
    parts = [generator_log_l1(total, 6, samples) for samples in (2, 4)]
    assert float(sum(parts)) / 6 == pytest.approx(expected, rel=1e-5)


def test_a_logarithm_of_each_slices_own_mean_would_be_another_loss():
    student, teacher = logits(0), logits(1)
    student[2:] *= 10.0
    whole = generator_log_l1(logit_l1(student, teacher), 6, 6)
    own = [
        generator_log_l1(logit_l1(student[part], teacher[part]), count, count)
        for part, count in ((slice(0, 2), 2), (slice(2, 6), 4))
    ]
    assert abs(float(sum(own) - whole)) > 0.1


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_distillation_is_the_divergence_of_softened_softmaxes_times_the_squared_temperature(temperature):
    student, teacher = logits(0), logits(1)
    p = softmax(teacher.numpy().astype(float) / temperature, axis=1)
    log_q = log_softmax(student.numpy().astype(float) / temperature, axis=1)
    expected = temperature**2 * (p * (np.log(p) - log_q)).sum()
    assert float(distillation_kl(student, teacher, temperature)) == pytest.approx(expected, rel=1e-5)


def test_distillation_of_two_classes_is_that_worked_by_hand():
    student, teacher = torch.tensor([[0.0, 0.0]]), torch.tensor([[math.log(3.0), 0.0]])
    expected = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert float(distillation_kl(student, teacher, 1.0)) == pytest.approx(expected, rel=1e-5)
    assert float(soft_label_kl(student, torch.tensor([[0.75, 0.25]]))) == pytest.approx(expected, rel=1e-5)


def test_labels_that_are_probabilities_give_the_divergence_of_their_logits():
    found = soft_label_kl(logits(0), torch.softmax(logits(1), dim=1))
    assert float(found) == pytest.approx(float(distillation_kl(logits(0), logits(1), 1.0)), rel=1e-5)
    certain = soft_label_kl(logits(0), torch.eye(5)[torch.arange(6) % 5])
    assert float(certain) == pytest.approx(float(nn.functional.cross_entropy(logits(0), torch.arange(6) % 5)) * 6)


def test_the_one_hot_loss_is_the_cross_entropy_with_the_teachers_own_choice():
    teacher = logits(0)
    expected = -log_softmax(teacher.numpy().astype(float), axis=1).max(axis=1).sum()
    assert float(one_hot(teacher)) == pytest.approx(expected, rel=1e-5)
    assert float(one_hot(torch.tensor([[math.log(3.0), 0.0]]))) == pytest.approx(-math.log(0.75), rel=1e-5)


def test_the_prediction_entropy_is_that_of_each_image():
    p = softmax(logits(0).numpy().astype(float), axis=1)
    assert float(prediction_entropy(logits(0))) == pytest.approx(-(p * np.log(p)).sum(), rel=1e-5)
    assert float(prediction_entropy(torch.zeros(3, 4))) == pytest.approx(3 * math.log(4), rel=1e-5)


def test_the_activation_loss_is_minus_the_mean_of_absolute_features():
    features = torch.tensor([[1.0, -3.0], [0.0, 5.0]])
    assert float(activation(features)) == pytest.approx(-(2.0 + 2.5))
    maps = torch.rand(3, 4, 5, 5)
    assert float(activation(maps)) == pytest.approx(float(activation(maps.mean((2, 3)))), rel=1e-5)


def test_the_information_entropy_is_that_of_the_mean_prediction_of_the_whole_batch():
    probabilities = torch.softmax(logits(0), dim=1)
    p = probabilities.numpy().astype(float).mean(axis=0)
    expected = (p * np.log(p)).sum()
    parts = [information_entropy(probabilities.sum(0), 6, samples) for samples in (1, 5)]
    assert float(sum(parts)) / 6 == pytest.approx(expected, rel=1e-5)
    assert float(information_entropy(torch.tensor([2.0, 2.0]), 4, 4)) / 4 == pytest.approx(-math.log(2), rel=1e-6)


def test_a_class_of_no_probability_leaves_gradients_finite():
    teacher = torch.tensor([[0.0, -500.0, 0.0]], requires_grad=True)
    information_entropy(torch.softmax(teacher, dim=1).sum(0), 1, 1).backward()
    assert torch.isfinite(teacher.grad).all()


def layer(mean, variance, running_mean, running_variance, eps=0.0):
    return LayerStatistics(*map(torch.tensor, (mean, variance, running_mean, running_variance)), eps)


def test_the_divergence_of_one_channel_is_that_worked_by_hand():
    # (4 + (3 - 1)²) / (2 · 1) - log(2 / 1) - 1/2
    found = batch_statistics_kl([layer([3.0], [4.0], [1.0], [1.0])], 1)
    assert float(found) == pytest.approx(4.0 - math.log(2.0) - 0.5, rel=1e-6)


def test_matching_statistics_is_torchs_divergence_of_gaussians_summed_over_channels_and_layers():
    layers = [
        layer([0.5, -1.0], [2.0, 0.3], [0.0, 0.0], [1.0, 2.0], eps=0.1),
        layer([1.0, 2.0, 3.0], [1.0, 1.0, 4.0], [1.5, 1.0, 3.0], [0.5, 1.0, 9.0]),
    ]
    expected = sum(
        float(
            kl_divergence(
                Normal(each.mean, (each.variance + each.eps).sqrt()),
                Normal(each.running_mean, (each.running_variance + each.eps).sqrt()),
            ).sum()
        )
        for each in layers
    )
    assert float(batch_statistics_kl(layers, 7)) == pytest.approx(7 * expected, rel=1e-5)
    same = layer([1.0], [2.0], [1.0], [2.0], eps=1e-5)
    assert float(batch_statistics_kl([same], 3)) == pytest.approx(0.0, abs=1e-6)


def test_matching_statistics_has_finite_gradients_where_a_channel_never_changes():
    network = nn.Sequential(nn.BatchNorm2d(2)).eval()
    images = torch.randn(3, 2, 4, 4)
    images[:, 0] = 0.0
    images.requires_grad_()
    with BatchStatistics(network) as noted:
        network(images)
    batch_statistics_kl(noted.layers(), 3).backward()
    assert torch.isfinite(images.grad).all()
    assert images.grad[:, 1].abs().sum() > 0


BY_SAMPLE = {
    "l1": logit_l1,
    "generator": generator_l1,
    "kl": lambda s, t: distillation_kl(s, t, 2.0),
    "soft": lambda s, t: soft_label_kl(s, torch.softmax(t, dim=1)),
    "one-hot": lambda s, t: one_hot(t),
    "prediction": lambda s, t: prediction_entropy(t),
    "activation": lambda s, t: activation(t),
}


@pytest.mark.parametrize("loss", BY_SAMPLE.values(), ids=BY_SAMPLE)
def test_losses_of_unequal_slices_add_up_to_the_batchs(loss):
    student, teacher = logits(3), logits(4)
    parts = [loss(student[part], teacher[part]) for part in (slice(0, 1), slice(1, 6))]
    assert float(sum(parts)) == pytest.approx(float(loss(student, teacher)), rel=1e-5)


@pytest.mark.parametrize("loss", [generator_l1, BY_SAMPLE["kl"]], ids=["l1", "kl"])
def test_the_generators_losses_send_gradients_through_both_networks(loss):
    student, teacher = logits(0).requires_grad_(), logits(1).requires_grad_()
    loss(student, teacher).backward()
    assert student.grad.abs().sum() > 0 and teacher.grad.abs().sum() > 0


@pytest.mark.parametrize("loss", BY_SAMPLE.values(), ids=BY_SAMPLE)
def test_losses_on_logits_are_fp32_whatever_the_networks_compute_in(loss):
    student, teacher = logits(0).bfloat16(), logits(1).bfloat16()
    if loss is not BY_SAMPLE["soft"]:
        assert float(loss(student, teacher)) == pytest.approx(float(loss(student.float(), teacher.float())), rel=1e-5)
    assert loss(student, teacher).dtype == torch.float32
