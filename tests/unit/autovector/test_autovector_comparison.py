import numpy as np
import pytest

from chorale.experiments.autovector.comparison import BEST, RANDOM_MEDIAN, XVECTOR, compare, verdict
from chorale.experiments.autovector.config import EvaluationConfig
from chorale.experiments.autovector.metrics import dcf_name, equal_error_rate, error_rates, min_dcf, sort_trials
from chorale.experiments.autovector.reporting.plots import pareto_front

pytestmark = pytest.mark.unit
EVALUATION = EvaluationConfig(bootstrap=200)


def trial_list(n_speakers=15, per_speaker=20):
    generator = np.random.default_rng(0)
    speaker = np.repeat(np.arange(n_speakers), per_speaker)
    other = (speaker + generator.integers(1, n_speakers, len(speaker))) % n_speakers
    first, second = np.r_[speaker, speaker], np.r_[speaker, other]
    return (first == second).astype(int), first, second


def trained(separations):
    labels, first, second = trial_list()
    scores, results = {}, {}
    for number, (network, separation) in enumerate(separations.items()):
        scores[network] = [
            np.random.default_rng([number, seed]).normal(size=len(labels)) + separation * labels for seed in range(3)
        ]
        results[network] = []
        for values in scores[network]:
            rates = error_rates(sort_trials(values, labels))
            costs = {dcf_name(p): min_dcf(rates, p) for p in EVALUATION.p_targets}
            row = {"eer": equal_error_rate(rates), "genome": {}, "parameters": 1, "macs": 2, "seconds": 3.0, **costs}
            results[network].append(row)
    return compare(results, scores, labels, first, second, EVALUATION, seed=0)


def test_the_table_holds_means_over_trainings_with_intervals_around_them():
    rows = trained({XVECTOR: 2.0, BEST: 3.0, RANDOM_MEDIAN: 2.0})
    assert [row["network"] for row in rows] == [XVECTOR, BEST, RANDOM_MEDIAN]
    for row in rows:
        assert row["eer"] == pytest.approx(np.mean(row["eer_each"]))
        assert row["eer_deviation"] == pytest.approx(np.std(row["eer_each"], ddof=1))
        assert row["eer_low"] < row["eer"] < row["eer_high"]
        assert 0 < row["min_dcf_05"] <= 1 and 0 < row["min_dcf_01"] <= 1


def test_the_verdict_says_lower_or_higher_and_whether_the_interval_excludes_zero():
    better = trained({XVECTOR: 1.5, BEST: 3.0})
    assert better[1]["difference_high"] < 0
    assert "lower" in verdict(better) and "excludes 0" in verdict(better)
    worse = trained({XVECTOR: 3.0, BEST: 1.5})
    assert "higher" in verdict(worse) and "excludes 0" in verdict(worse)
    assert "includes 0" in verdict(trained({XVECTOR: 2.0, BEST: 2.0}))


def test_a_search_that_ends_with_the_xvector_says_so():
    assert "No network" in verdict(trained({XVECTOR: 2.0, BEST: 2.0}), best_is_xvector=True)


def test_without_the_xvector_no_comparison_is_claimed():
    assert "nothing to compare" in verdict(trained({BEST: 2.0}))


def test_the_pareto_front_keeps_what_nothing_beats_in_both():
    points = [(3.0, 5.0), (1.0, 9.0), (2.0, 6.0), (2.5, 7.0), (4.0, 5.0)]
    assert pareto_front(points) == [(1.0, 9.0), (2.0, 6.0), (3.0, 5.0)]
