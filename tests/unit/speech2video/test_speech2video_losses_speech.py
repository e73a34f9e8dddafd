import math

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax

from chorale.experiments.speech2video.losses.confusion import confusion
from chorale.experiments.speech2video.losses.cpc import draw_negatives, info_nce
from chorale.experiments.speech2video.losses.distillation import feature_distance, over_frames, soft_cross_entropy

pytestmark = pytest.mark.unit


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def by_loops(guesses, latents, negatives):
    """InfoNCE again, by loops: the loss and the share of hits of each sample."""
    batch, steps, ahead, channels = guesses.shape
    loss, hits = np.zeros(batch), np.zeros(batch)
    for sample in range(batch):
        for step in range(steps - ahead):
            for k in range(1, ahead + 1):
                places = [step + k, *negatives[sample, step]]
                scores = latents[sample, places] @ guesses[sample, step, k - 1] / channels
                loss[sample] -= log_softmax(scores)[0]
                hits[sample] += scores[0] > scores[1:].max()
    return loss / ((steps - ahead) * ahead), hits / ((steps - ahead) * ahead)


def test_info_nce_is_the_sum_over_samples_of_the_mean_over_guesses():
    guesses, latents = 4 * noise(3, 12, 4, 5), noise(3, 12, 5, seed=1)
    negatives = draw_negatives(7, 0, 3, steps=12, ahead=4, count=6)
    found = info_nce(guesses, latents, negatives)
    loss, hits = by_loops(guesses.numpy(), latents.numpy(), negatives)
    assert float(found.loss) == pytest.approx(loss.sum(), rel=1e-5)
    assert float(found.hits) == pytest.approx(hits.sum(), rel=1e-5) and 0 < hits.sum() < 3


def test_two_halves_of_a_batch_sum_to_the_whole_and_so_do_their_gradients():
    guesses, latents = noise(5, 10, 3, 4).requires_grad_(), noise(5, 10, 4, seed=1).requires_grad_()

    def part(first, last):
        negatives = draw_negatives(7, first, last, steps=10, ahead=3, count=6)
        return info_nce(guesses[first:last], latents[first:last], negatives)

    whole, halves = part(0, 5), [part(0, 2), part(2, 5)]
    torch.testing.assert_close(sum(each.loss for each in halves), whole.loss)
    torch.testing.assert_close(sum(each.hits for each in halves), whole.hits)
    expected = torch.autograd.grad(whole.loss, (guesses, latents))
    found = torch.autograd.grad(sum(each.loss for each in halves), (guesses, latents))
    torch.testing.assert_close(found, expected)


def test_halves_whose_draws_were_counted_from_their_own_first_sample_would_not():
    guesses, latents = noise(4, 10, 3, 4), noise(4, 10, 4, seed=1)
    whole = info_nce(guesses, latents, draw_negatives(7, 0, 4, 10, 3, 6)).loss
    wrong = info_nce(guesses[2:], latents[2:], draw_negatives(7, 0, 2, 10, 3, 6)).loss
    right = info_nce(guesses[:2], latents[:2], draw_negatives(7, 0, 2, 10, 3, 6)).loss
    assert abs(float(wrong + right - whole)) > 1e-3


def test_negatives_are_a_function_of_key_and_sample():
    whole = draw_negatives(7, 0, 6, steps=20, ahead=3, count=8)
    assert whole.shape == (6, 17, 8)
    parts = [draw_negatives(7, first, first + 2, steps=20, ahead=3, count=8) for first in (0, 2, 4)]
    assert np.array_equal(np.concatenate(parts), whole)
    assert not np.array_equal(whole[0], whole[1])
    assert not np.array_equal(draw_negatives(8, 0, 6, steps=20, ahead=3, count=8), whole)


def test_negatives_are_all_latents_of_the_window_but_those_that_come_each_as_likely():
    drawn = draw_negatives(7, 0, 40, steps=10, ahead=3, count=90)
    for step in range(7):
        counts = np.bincount(drawn[:, step].ravel(), minlength=10)
        outside = [place for place in range(10) if not step <= place <= step + 3]
        assert counts[step : step + 4].sum() == 0 and counts.size == 10
        # 3600 draws among 6 places: 600 each, with a deviation of 22.
        assert all(abs(counts[place] - 600) < 110 for place in outside)


def test_who_knows_what_comes_loses_nothing_and_who_guesses_nothing_hits_nothing():
    latents = 50 * torch.nn.functional.one_hot(torch.arange(10) % 10, 10).float()[None]
    negatives = draw_negatives(7, 0, 1, steps=10, ahead=3, count=7)
    blind = info_nce(torch.zeros(1, 10, 3, 10), latents, negatives)
    assert float(blind.loss) == pytest.approx(math.log(8), rel=1e-6) and float(blind.hits) == 0
    ahead = [torch.roll(latents, -k, dims=1) for k in (1, 2, 3)]
    knowing = info_nce(torch.stack(ahead, dim=2), latents, negatives)
    assert float(knowing.loss) < 1e-6 and float(knowing.hits) == 1


def test_the_distance_of_features_is_two_minus_twice_the_cosine_summed_over_samples():
    student, teacher = torch.tensor([[3.0, 0.0], [1.0, 1.0]]), torch.tensor([[0.0, 7.0], [5.0, 0.0]])
    assert float(feature_distance(student, teacher)) == pytest.approx(2 + 2 - math.sqrt(2))
    cosine = torch.nn.functional.cosine_similarity(noise(4, 6), noise(4, 6, seed=1))
    assert float(feature_distance(noise(4, 6), noise(4, 6, seed=1))) == pytest.approx(float((2 - 2 * cosine).sum()))


def test_the_distance_of_features_does_not_depend_on_their_lengths():
    one = float(feature_distance(noise(4, 6), noise(4, 6, seed=1)))
    assert float(feature_distance(30 * noise(4, 6), noise(4, 6, seed=1) / 7)) == pytest.approx(one, rel=1e-5)


def test_the_soft_cross_entropy_is_that_worked_by_hand():
    # At temperature 2 the teacher says 3/4 and 1/4, the student 1/2 each.
    student, teacher = torch.zeros(1, 2), torch.tensor([[2 * math.log(3.0), 0.0]])
    assert float(soft_cross_entropy(student, teacher)) == pytest.approx(math.log(2), rel=1e-6)
    student = torch.tensor([[0.0, 2 * math.log(4.0)]])
    expected = -0.75 * math.log(1 / 5) - 0.25 * math.log(4 / 5)
    assert float(soft_cross_entropy(student, teacher)) == pytest.approx(expected, rel=1e-6)


def test_the_soft_cross_entropy_is_summed_over_samples_at_any_temperature():
    student, teacher = 3 * noise(5, 8), 3 * noise(5, 8, seed=1)
    for temperature in (1.0, 2.0, 5.0):
        p = softmax(teacher.numpy().astype(float) / temperature, axis=1)
        expected = -(p * log_softmax(student.numpy().astype(float) / temperature, axis=1)).sum()
        assert float(soft_cross_entropy(student, teacher, temperature)) == pytest.approx(expected, rel=1e-5)


def test_an_emotion_of_one_frame_counts_by_the_maximum_and_hardly_by_the_mean():
    frames = torch.zeros(5, 3)
    frames[2, 1] = 5.0
    assert over_frames(frames).tolist() == [0, 5, 0]
    assert over_frames(frames, "mean").tolist() == [0, 1, 0]
    assert torch.equal(over_frames(frames.expand(2, 5, 3)), torch.tensor([[0.0, 5, 0]] * 2))


def test_the_confusion_is_the_cross_entropy_against_uniform_and_least_where_nothing_is_found():
    # softmax is 1/4 and 3/4.
    logits = torch.tensor([[0.0, math.log(3.0)], [2.0, 2.0]])
    expected = -0.5 * (math.log(1 / 4) + math.log(3 / 4)) + math.log(2)
    assert float(confusion(logits)) == pytest.approx(expected, rel=1e-6)
    uniform = torch.full((4, 6), 1 / 6)
    soft = torch.nn.functional.cross_entropy(noise(4, 6), uniform, reduction="sum")
    assert float(confusion(noise(4, 6))) == pytest.approx(float(soft), rel=1e-5)
    flat = torch.zeros(4, 6, requires_grad=True)
    assert float(confusion(flat).detach()) == pytest.approx(4 * math.log(6))
    assert float(confusion(noise(4, 6))) > 4 * math.log(6)
    torch.testing.assert_close(torch.autograd.grad(confusion(flat), flat)[0], torch.zeros(4, 6))


def test_only_the_student_learns_from_a_distillation():
    for loss in (feature_distance, soft_cross_entropy):
        student, teacher = noise(2, 5).requires_grad_(), noise(2, 5, seed=1).requires_grad_()
        loss(student, teacher).backward()
        assert student.grad is not None and student.grad.any() and teacher.grad is None
