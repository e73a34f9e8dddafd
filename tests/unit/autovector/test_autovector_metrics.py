import itertools

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from chorale.core.errors import InputError
from chorale.experiments.autovector.bootstrap import bootstrap_eer, interval
from chorale.experiments.autovector.metrics import (
    dcf_name,
    det_curve,
    equal_error_rate,
    error_rates,
    min_dcf,
    sort_trials,
)

pytestmark = pytest.mark.unit


def rates_of(scores, labels):
    return error_rates(sort_trials(scores, labels))


def random_trials_with_ties(seed):
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.r_[np.ones(generator.integers(2, 80)), np.zeros(generator.integers(2, 400))])
    scores = np.round(
        generator.normal(size=len(labels)) + labels * generator.uniform(-0.5, 3), generator.integers(0, 3)
    )
    return scores, labels


def sklearn_eer(scores, labels):
    false_alarm, hit, _ = roc_curve(labels, scores, drop_intermediate=False)
    # Along the ROC, joined by straight lines, find where miss = false alarm, by the parameter of each segment.
    for (f0, h0), (f1, h1) in itertools.pairwise(zip(false_alarm, hit, strict=True)):
        before, after = 1 - h0 - f0, 1 - h1 - f1
        if after <= 0 <= before:
            return f0 + (f1 - f0) * (before / (before - after) if before > after else 0.0)
    raise AssertionError("no crossing")


def sklearn_min_dcf(scores, labels, p_target):
    false_alarm, hit, _ = roc_curve(labels, scores, drop_intermediate=False)
    return min(p_target * (1 - hit) + (1 - p_target) * false_alarm) / min(p_target, 1 - p_target)


@pytest.mark.parametrize("seed", range(100))
def test_eer_and_min_dcf_equal_an_independent_implementation_on_random_scores_with_ties(seed):
    scores, labels = random_trials_with_ties(seed)
    rates = rates_of(scores, labels)
    assert equal_error_rate(rates) == pytest.approx(sklearn_eer(scores, labels), abs=1e-9)
    for p_target in (0.01, 0.05, 0.7):
        assert min_dcf(rates, p_target) == pytest.approx(sklearn_min_dcf(scores, labels, p_target), abs=1e-9)


@pytest.mark.parametrize("seed", range(10))
def test_eer_does_not_depend_on_the_order_of_the_trials(seed):
    scores, labels = random_trials_with_ties(seed)
    order = np.random.default_rng(seed).permutation(len(scores))
    assert equal_error_rate(rates_of(scores[order], labels[order])) == equal_error_rate(rates_of(scores, labels))


@pytest.mark.parametrize("labels", [[1, 1, 0, 0, 0], [0, 0, 0, 1, 1], [0, 1, 0, 1, 0]])
def test_constant_scores_have_an_eer_of_exactly_one_half_in_any_order(labels):
    rates = rates_of([0.25] * 5, labels)
    assert equal_error_rate(rates) == 0.5
    assert min_dcf(rates, 0.01) == 1.0


def test_perfect_scores_have_no_error_and_reversed_scores_nothing_else():
    assert equal_error_rate(rates_of([3, 2, 1, 0], [1, 1, 0, 0])) == 0.0
    assert equal_error_rate(rates_of([3, 2, 1, 0], [0, 0, 1, 1])) == 1.0


def test_a_case_worked_by_hand():
    # Targets 4, 2; non-targets 3, 1, 0, 0. Between 2 and 3: miss 1/2, false alarm 1/4. At 2: miss 0, false alarm 1/4.
    rates = rates_of([4, 2, 3, 1, 0, 0], [1, 1, 0, 0, 0, 0])
    assert equal_error_rate(rates) == 0.25
    # p = 0.05: rejecting all costs 1; rejecting below 4 costs 0.05 * 1/2 / 0.05 = 0.5.
    assert min_dcf(rates, 0.05) == pytest.approx(0.5)


def test_a_nan_score_is_an_input_error_that_tells_which():
    with pytest.raises(InputError, match="number 2 is NaN"):
        sort_trials([0.0, float("nan"), 1.0], [0, 1, 1])


@pytest.mark.parametrize("labels", [[1, 1], [0, 0], [1, 2], [1]])
def test_labels_that_allow_no_error_rate_are_input_errors(labels):
    with pytest.raises(InputError):
        sort_trials([0.0, 1.0], labels)


def test_infinite_scores_are_ordered_like_any_others():
    assert equal_error_rate(rates_of([np.inf, 1, 0, -np.inf], [1, 1, 0, 0])) == 0.0


def test_weights_count_a_trial_as_often_as_they_say():
    scores, labels = random_trials_with_ties(3)
    counts = np.random.default_rng(3).integers(1, 4, len(scores))
    weighted = error_rates(sort_trials(scores, labels), counts.astype(float))
    repeated = rates_of(np.repeat(scores, counts), np.repeat(labels, counts))
    assert equal_error_rate(weighted) == pytest.approx(equal_error_rate(repeated), abs=1e-12)


def test_the_det_curve_keeps_points_of_the_error_rates_within_the_number_asked_for():
    generator = np.random.default_rng(0)
    labels = np.arange(5000) % 10 == 0
    rates = rates_of(generator.normal(size=5000) + 2 * labels, labels)
    curve = det_curve(rates, 50)
    assert 20 < len(curve.miss) <= 50
    assert set(zip(*curve, strict=True)) <= set(zip(*rates, strict=True))
    assert min(curve.miss.min(), curve.false_alarm.min()) > 0


def test_the_names_of_costs_tell_the_prior():
    assert [dcf_name(p) for p in (0.01, 0.05, 0.001)] == ["min_dcf_01", "min_dcf_05", "min_dcf_001"]


def test_the_bootstrap_over_speakers_is_wider_than_one_over_trials_and_holds_the_eer():
    generator = np.random.default_rng(1)
    n_speakers, per_speaker = 12, 20
    ease = generator.normal(0, 1.5, n_speakers)
    speaker = np.repeat(np.arange(n_speakers), per_speaker)
    other = (speaker + generator.integers(1, n_speakers, len(speaker))) % n_speakers
    first, second = np.r_[speaker, speaker], np.r_[speaker, other]
    labels = (first == second).astype(int)
    scores = generator.normal(size=len(labels)) + labels * (1.5 + ease[first])
    trials = sort_trials(scores, labels)
    by_speaker = bootstrap_eer([[trials]], first, second, 300, seed=0)
    own_speaker = np.arange(len(labels))
    single = [
        equal_error_rate(
            error_rates(trials, np.bincount(generator.choice(own_speaker, len(labels)), minlength=len(labels)) * 1.0)
        )
        for _ in range(300)
    ]
    assert by_speaker.std() > 1.3 * np.std(single)
    low, high = interval(by_speaker[:, 0])
    assert low < equal_error_rate(error_rates(trials)) < high


def test_the_bootstrap_gives_the_same_draws_to_every_system():
    scores, labels = random_trials_with_ties(5)
    first = np.arange(len(labels)) % 5
    second = np.where(labels == 1, first, (first + 1) % 5)
    trials = sort_trials(scores, labels)
    rows = bootstrap_eer([[trials], [trials, trials]], first, second, 100, seed=4)
    assert np.array_equal(rows[:, 0], rows[:, 1])
    assert rows[:, 0].std() > 0
