import math

import numpy as np
import pytest
import torch
from made_up_speech import N_MELS, N_SYMBOLS, TINY, made_up_batch

from chorale.experiments.fedtts.config.network import LossConfig
from chorale.experiments.fedtts.network.initial import build
from chorale.experiments.fedtts.network.losses import (
    denominators,
    diagonal_penalty,
    guided_attention,
    guided_likelihood,
    label_penalty,
    mel_l1,
    speech_losses,
    steps_of,
    stop_cross_entropy,
    total_loss,
)
from chorale.experiments.fedtts.network.naming import full_depth

pytestmark = pytest.mark.unit


def test_the_mel_loss_is_the_mean_over_bins_and_the_sum_over_true_frames():
    predicted = torch.tensor([[[1.0, 2.0], [3.0, 5.0], [9.0, 9.0]], [[0.0, 0.0], [9.0, 9.0], [9.0, 9.0]]])
    target = torch.zeros_like(predicted)
    target[0, 0] = torch.tensor([2.0, 2.0])
    # (1 + 0) / 2 + (3 + 5) / 2 + 0
    assert float(mel_l1(predicted, target, torch.tensor([2, 1]))) == pytest.approx(4.5)


def test_the_stop_loss_weighs_the_last_true_step_and_leaves_padding_out():
    logits = torch.tensor([[0.0, 0.0, 0.0, 9.0], [1.0, -2.0, 7.0, 7.0]])
    expected = 2 * math.log(2) + 5 * math.log(2)
    expected += math.log(1 + math.e) + 5 * math.log(1 + math.e**2)
    found = stop_cross_entropy(logits, torch.tensor([3, 2]), positive_weight=5.0)
    assert float(found) == pytest.approx(expected, rel=1e-6)


def test_the_diagonal_penalty_is_equation_4_of_tachibana():
    found = diagonal_penalty(torch.tensor([4, 2]), torch.tensor([2, 3]), (4, 3), sigma=0.4)
    for row, (steps, symbols) in enumerate([(4, 2), (2, 3)]):
        for t in range(4):
            for n in range(3):
                true = t < steps and n < symbols
                expected = 1 - math.exp(-((n / symbols - t / steps) ** 2) / (2 * 0.4**2)) if true else 0.0
                assert float(found[row, t, n]) == pytest.approx(expected, abs=1e-6)
    assert float(found[0, 2, 1]) == 0.0


def test_the_label_penalty_is_0_at_the_spoken_symbol_and_grows_away_from_it():
    durations = torch.tensor([[2, 3, 0], [1, 1, 4]])
    found = label_penalty(durations, torch.tensor([5, 6]), 2, torch.tensor([2, 3]), (3, 3), sigma=2.0)
    # Middle frames 1, 3, 5 of the steps; the first utterance has no frame 5, so its last.
    spoken = [[0, 1, 1], [1, 2, 2]]
    for row, symbols in enumerate((2, 3)):
        for t in range(3):
            for n in range(3):
                off = n - spoken[row][t]
                expected = 1 - math.exp(-(off**2) / (2 * 2.0**2)) if n < symbols else 0.0
                assert float(found[row, t, n]) == pytest.approx(expected, abs=1e-6)


def test_guided_attention_sums_weights_by_penalty_and_means_over_maps():
    generator = torch.Generator().manual_seed(0)
    layers = [torch.rand(2, 2, 3, 4, generator=generator) for _ in range(2)]
    penalty = torch.rand(2, 3, 4, generator=generator)
    expected = sum(
        float(layer[b, h, t, n] * penalty[b, t, n]) / 4
        for layer in layers
        for b in range(2)
        for h in range(2)
        for t in range(3)
        for n in range(4)
    )
    assert float(guided_attention(layers, penalty)) == pytest.approx(expected, rel=1e-5)


def test_the_guided_likelihood_is_minus_the_logarithm_of_the_weight_in_the_band():
    generator = torch.Generator().manual_seed(0)
    layers = [torch.rand(2, 2, 3, 4, generator=generator) for _ in range(2)]
    penalty, steps = torch.rand(2, 3, 4, generator=generator), torch.tensor([3, 2])
    expected = 0.0
    for layer in layers:
        for b, h in ((b, h) for b in range(2) for h in range(2)):
            for t in range(int(steps[b])):
                within = sum(float(layer[b, h, t, n]) * (1 - float(penalty[b, t, n])) for n in range(4))
                expected -= math.log(within) / 4
    assert float(guided_likelihood(layers, penalty, steps)) == pytest.approx(expected, rel=1e-5)


def test_a_head_that_is_sure_of_a_wrong_symbol_is_moved_by_the_likelihood_and_hardly_by_the_penalty():
    penalty, steps = torch.tensor([[[0.0, 1.0, 1.0]]]), torch.tensor([1])
    slopes = []
    for loss in (lambda a: guided_attention([a], penalty), lambda a: guided_likelihood([a], penalty, steps)):
        scores = torch.tensor([[[[0.0, 0.0, 12.0]]]], requires_grad=True)
        loss(torch.softmax(scores, dim=3)).backward()
        slopes.append(float(scores.grad[0, 0, 0, 0]))
    assert abs(slopes[0]) < 1e-4
    assert slopes[1] == pytest.approx(-1.0, abs=1e-4)


def test_steps_are_frames_by_the_reduction_factor_rounded_up():
    assert steps_of(torch.tensor([5, 4, 1]), 2).tolist() == [3, 2, 1]


def test_denominators_count_true_frames_steps_and_cells():
    expected = {"mel_before": 9.0, "mel_after": 9.0, "stop": 5.0, "guide": 12.0}
    assert denominators([5, 4], [2, 3], 2, LossConfig()) == expected
    assert denominators([5, 4], [2, 3], 2, LossConfig(guide_form="likelihood")) == {**expected, "guide": 5.0}


def test_the_total_weighs_the_losses():
    means = {"mel_before": 1.0, "mel_after": 2.0, "stop": 3.0, "guide": 4.0}
    assert total_loss(means, LossConfig(stop_weight=0.5, guide_weight=10.0)) == pytest.approx(44.5)
    del means["guide"]
    assert total_loss(means, LossConfig(stop_weight=0.5, guide_weight=0.0)) == pytest.approx(4.5)


@pytest.fixture(scope="module")
def said():
    batch = made_up_batch([0, 1, 2], 2)
    network = build(TINY, N_SYMBOLS, N_MELS, full_depth(TINY), 0).eval()
    return network(batch, 2), batch


@torch.no_grad()
def test_the_losses_of_a_batch_are_sums_of_those_of_its_utterances(said):
    _, batch = said
    network = build(TINY, N_SYMBOLS, N_MELS, full_depth(TINY), 0).eval()
    for guide, form in (("diagonal", "penalty"), ("labels", "penalty"), ("labels", "likelihood")):
        config = LossConfig(guide=guide, guide_form=form)
        whole = speech_losses(network(batch, 2), batch, 2, config)
        parts = []
        for index in range(3):
            alone = made_up_batch([index], 2)
            parts.append(speech_losses(network(alone, 2), alone, 2, config))
        for name, value in whole.items():
            assert float(value) == pytest.approx(sum(float(part[name]) for part in parts), rel=1e-5)


@torch.no_grad()
def test_only_the_topmost_layers_and_first_heads_are_guided(said):
    outputs, batch = said
    config = LossConfig(guide_layers=2, guide_heads=1)
    whole = float(speech_losses(outputs, batch, 2, config)["guide"])
    penalty = diagonal_penalty(
        steps_of(batch.mel_lengths, 2), batch.symbol_lengths, (batch.mel.shape[1] // 2, batch.symbols.shape[1]), 0.4
    )
    expected = np.mean([float((layer[:, 0] * penalty).sum()) for layer in outputs.attention[1:]])
    assert whole == pytest.approx(expected, rel=1e-5)


def test_a_weight_of_0_leaves_the_guide_out_and_labels_need_durations(said):
    outputs, batch = said
    assert "guide" not in speech_losses(outputs, batch, 2, LossConfig(guide_weight=0.0))
    without = type(batch)(batch.symbols, batch.symbol_lengths, batch.mel, batch.mel_lengths, None)
    with pytest.raises(ValueError, match="durations"):
        speech_losses(outputs, without, 2, LossConfig(guide="labels"))
