import math

import pytest
import torch
from torch import nn

from chorale.experiments.speech2video.losses.adversarial import (
    critic_loss,
    draw_shares,
    generator_loss,
    gradient_penalty,
)
from chorale.experiments.speech2video.losses.classification import classification, hits
from chorale.experiments.speech2video.losses.levels import level_l1
from chorale.experiments.speech2video.losses.pixels import pixel_l1
from chorale.experiments.speech2video.losses.sync import contrastive, sync_cross_entropy, sync_hits
from chorale.experiments.speech2video.networks.probes import reverse_gradient

pytestmark = pytest.mark.unit
REAL, MADE = torch.tensor([2.0, -0.5, 0.0]), torch.tensor([-3.0, 0.5, 1.0])


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_each_game_is_that_worked_by_hand():
    assert float(critic_loss(REAL, MADE, "wasserstein")) == pytest.approx(-1.5 - 1.5)
    # max(0, 1 - 2) + 1.5 + 1, and max(0, 1 - 3) + 1.5 + 2
    assert float(critic_loss(REAL, MADE, "hinge")) == pytest.approx(2.5 + 3.5)
    sure = [1 / (1 + math.exp(-score)) for score in REAL.tolist()], [1 / (1 + math.exp(-score)) for score in MADE]
    expected = -sum(math.log(p) for p in sure[0]) - sum(math.log(1 - p) for p in sure[1])
    assert float(critic_loss(REAL, MADE, "non-saturating")) == pytest.approx(expected, rel=1e-5)
    assert float(generator_loss(MADE, "wasserstein")) == float(generator_loss(MADE, "hinge")) == 1.5
    saturated = -sum(math.log(p) for p in sure[1])
    assert float(generator_loss(MADE, "non-saturating")) == pytest.approx(saturated, rel=1e-5)


@pytest.mark.parametrize("game", ["wasserstein", "hinge", "non-saturating"])
def test_critic_and_generator_want_the_opposite_and_sums_add_up(game):
    scores = noise(5, seed=1).clamp(-0.9, 0.9).requires_grad_()
    (critics,) = torch.autograd.grad(critic_loss(noise(5), scores, game), scores)
    (generators,) = torch.autograd.grad(generator_loss(scores, game), scores)
    assert (critics > 0).all() and (generators < 0).all()
    halves = [critic_loss(noise(5)[part], scores[part], game) for part in (slice(0, 2), slice(2, 5))]
    torch.testing.assert_close(sum(halves), critic_loss(noise(5), scores, game))


def test_the_penalty_of_a_linear_critic_is_that_worked_by_hand():
    weight = torch.tensor([3.0, 0.0, -4.0, 0.0], requires_grad=True)
    real, made, shares = noise(6, 2, 2), noise(6, 2, 2, seed=1), noise(6).sigmoid()
    penalty = gradient_penalty(lambda x: x.flatten(1) @ weight, real, made, shares)
    assert float(penalty.detach()) == pytest.approx(6 * (5 - 1) ** 2)
    penalty.backward()
    # d (|w| - 1)² = 2 (|w| - 1) w / |w|
    torch.testing.assert_close(weight.grad, 6 * 2 * 4 * weight.detach() / 5)


def test_the_penalty_is_taken_between_real_and_generated():
    real, made, shares = noise(4, 3), noise(4, 3, seed=1), torch.tensor([0.0, 0.25, 0.5, 1.0])
    penalty = gradient_penalty(lambda x: 0.5 * x.square().sum(1), real, made, shares)
    between = shares[:, None] * real + (1 - shares[:, None]) * made
    assert float(penalty.detach()) == pytest.approx(float((between.norm(dim=1) - 1).square().sum()), rel=1e-5)


def test_the_penaltys_gradient_is_that_of_finite_differences():
    real, made, shares = noise(5, 3).double(), noise(5, 3, seed=1).double(), noise(5).sigmoid().double()

    def penalty(weight):
        return gradient_penalty(lambda x: torch.tanh(x @ weight.T).sum(1), real, made, shares).double()

    weight = noise(4, 3, seed=2).double().requires_grad_()
    (slope,) = torch.autograd.grad(penalty(weight), weight)
    step = 1e-2
    for place in ((0, 0), (3, 2)):
        shift = torch.zeros_like(weight)
        shift[place] = step
        found = (penalty(weight + shift) - penalty(weight - shift)) / (2 * step)
        assert float(slope[place]) == pytest.approx(float(found.detach()), rel=1e-2, abs=1e-4)


def test_a_flat_critic_is_penalised_and_not_lost():
    scale = torch.zeros((), requires_grad=True)
    penalty = gradient_penalty(lambda x: scale * x.sum(1), noise(4, 3), noise(4, 3, seed=1), torch.full((4,), 0.5))
    penalty.backward()
    assert float(penalty.detach()) == 4 and torch.isfinite(scale.grad)


def test_no_gradient_of_the_penalty_reaches_the_generator():
    made, weight = noise(4, 3).requires_grad_(), noise(3).requires_grad_()
    gradient_penalty(lambda x: (x**3) @ weight, noise(4, 3, seed=1), made, torch.full((4,), 0.5)).backward()
    assert made.grad is None and weight.grad is not None


def test_two_halves_of_a_batch_are_penalised_as_the_whole():
    real, made, cpu = noise(6, 3), noise(6, 3, seed=1), torch.device("cpu")

    def part(first, last, counted_from):
        shares = draw_shares(5, counted_from, last - first, cpu)
        penalty = gradient_penalty(lambda x: x.square().sum(1), real[first:last], made[first:last], shares)
        return float(penalty.detach())

    assert part(0, 2, 0) + part(2, 6, 2) == pytest.approx(part(0, 6, 0), rel=1e-5)
    assert part(0, 2, 0) + part(2, 6, 0) != pytest.approx(part(0, 6, 0), rel=1e-3)


def test_the_sync_loss_is_that_worked_by_hand():
    cosine, together = torch.tensor([0.8, 0.3, 0.5]), torch.tensor([1, 0, 1])
    expected = -math.log(0.8) - math.log(0.7) - math.log(0.5)
    assert float(sync_cross_entropy(cosine, together)) == pytest.approx(expected, rel=1e-5)
    torch_own = nn.functional.binary_cross_entropy(cosine, together.float(), reduction="sum")
    torch.testing.assert_close(sync_cross_entropy(cosine, together), torch_own)
    assert int(sync_hits(torch.tensor([0.8, 0.3, 0.4]), together)) == 2


def test_a_cosine_beyond_its_ends_by_rounding_costs_no_infinity():
    cosine = torch.tensor([1.0 + 1e-6, 0.0, 0.0, 1.0], requires_grad=True)
    loss = sync_cross_entropy(cosine, torch.tensor([1, 1, 0, 0]))
    loss.backward()
    assert math.isfinite(float(loss.detach())) and torch.isfinite(cosine.grad).all()


def test_the_contrastive_loss_is_that_worked_by_hand():
    distance, together = torch.tensor([2.0, 0.5, 3.0]), torch.tensor([1, 0, 0])
    assert float(contrastive(distance, together, 2.0)) == pytest.approx((4 + 1.5**2 + 0) / 2)


def test_every_level_counts_by_its_mean_and_vgg_does_not_learn():
    ours = [torch.zeros(2, 3, 4, 3, requires_grad=True), torch.zeros(2, 5, 2, 1, requires_grad=True)]
    theirs = [torch.ones(2, 3, 4, 3, requires_grad=True), torch.full((2, 5, 2, 1), -2.0)]
    loss = level_l1(ours, theirs)
    assert float(loss.detach()) == pytest.approx(2 * 1 + 2 * 2)
    loss.backward()
    assert theirs[0].grad is None and ours[0].grad.any()
    means = sum(2 * nn.functional.l1_loss(noise(2, 3, 4), noise(2, 3, 4, seed=seed)) for seed in (1, 2))
    found = level_l1([noise(2, 3, 4)] * 2, [noise(2, 3, 4, seed=seed) for seed in (1, 2)])
    torch.testing.assert_close(found, means)
    with pytest.raises(ValueError, match="shapes differ"):
        level_l1(ours, theirs[::-1])


def test_the_lower_half_of_the_pixels_counts_more_and_weights_have_a_mean_of_one():
    made, real = noise(2, 3, 4, 6), noise(2, 3, 4, 6, seed=1)
    for upper in (0.0, 0.25, 1.0):
        weights = torch.tensor([upper, upper, 1.0, 1.0])
        weights = weights / weights.mean()
        expected = 2 * (weights[:, None] * (made - real).abs()).mean()
        torch.testing.assert_close(pixel_l1(made, real, upper), expected)
    torch.testing.assert_close(pixel_l1(made, real, 1.0), 2 * nn.functional.l1_loss(made, real))
    torch.testing.assert_close(pixel_l1(real + 0.3, real, 0.1), torch.tensor(0.6))
    with pytest.raises(ValueError, match="even height"):
        pixel_l1(made[:, :, :3], real[:, :, :3], 0.5)
    with pytest.raises(ValueError, match="even height"):
        pixel_l1(made[:1], real, 0.5)


def test_losses_of_two_halves_sum_to_that_of_the_whole():
    made, real, labels = noise(5, 3, 4, 6), noise(5, 3, 4, 6, seed=1), torch.tensor([0, 2, 1, 1, 0])
    halves = (slice(0, 2), slice(2, 5))
    for loss in (
        lambda part: pixel_l1(made[part], real[part], 0.3),
        lambda part: level_l1([made[part]], [real[part]]),
        lambda part: sync_cross_entropy(made[part, 0, 0, 0].sigmoid(), labels[part] > 0),
        lambda part: contrastive(made[part, 0, 0, 0].abs(), labels[part] > 0, 1.0),
        lambda part: classification(made[part, :, 0, 0], labels[part], 0.1),
    ):
        torch.testing.assert_close(sum(loss(part) for part in halves), loss(slice(0, 5)))


def test_smoothing_gives_every_class_its_share_of_the_label():
    logits, labels = noise(4, 3), torch.tensor([2, 0, 1, 1])
    shares = torch.full((4, 3), 0.1) + 0.7 * nn.functional.one_hot(labels, 3)
    expected = -(shares * logits.log_softmax(1)).sum()
    torch.testing.assert_close(classification(logits, labels, 0.3), expected)
    torch.testing.assert_close(classification(logits, labels), -logits.log_softmax(1)[range(4), labels].sum())
    assert int(hits(torch.eye(3), torch.tensor([0, 1, 0]))) == 2


def test_behind_a_reversal_the_classifier_finds_while_the_features_hide():
    features, labels = noise(4, 3).requires_grad_(), torch.tensor([2, 0, 1, 1])
    classification(reverse_gradient(features, 1.0), labels).backward()
    with torch.no_grad():
        further = features - 0.1 * features.grad
    assert float(classification(further, labels)) > float(classification(features, labels).detach())
