import numpy as np
import pytest

from chorale.experiments.fedtts.metrics.stops import duration_ratio, stop_accuracy

pytestmark = pytest.mark.unit


def test_stops_at_the_last_step_are_right_whatever_the_padding_says():
    probabilities = np.array([[0.1, 0.2, 0.9, 0.9], [0.0, 0.0, 0.1, 0.8]])
    assert stop_accuracy(probabilities, np.array([3, 4])) == (1.0, 1.0)


def test_a_network_that_never_stops_has_right_steps_and_no_right_utterance():
    assert stop_accuracy(np.zeros((2, 10)), np.array([10, 5])) == pytest.approx((13 / 15, 0.0))


def test_an_early_stop_is_two_wrong_decisions_and_within_tolerance_a_right_end():
    # First stop at step 2 of 4, none at the last.
    probabilities = np.array([[0.0, 0.0, 0.7, 0.2]])
    assert stop_accuracy(probabilities, np.array([4])) == pytest.approx((0.5, 0.0))
    assert stop_accuracy(probabilities, np.array([4]), tolerance=1).utterances == 1.0
    assert stop_accuracy(np.array([[0.6, 0.0, 0.0, 0.9]]), np.array([4]), tolerance=1).utterances == 0.0


def test_the_threshold_decides():
    probabilities = np.array([[0.4, 0.6]])
    assert stop_accuracy(probabilities, np.array([2]), threshold=0.5).utterances == 1.0
    assert stop_accuracy(probabilities, np.array([2]), threshold=0.3).utterances == 0.0
    assert stop_accuracy(probabilities, np.array([2]), threshold=0.7).utterances == 0.0


def test_the_duration_ratio_is_of_the_recording():
    assert duration_ratio(150, 100) == 1.5


def test_a_stop_behind_the_end_is_none():
    assert stop_accuracy(np.array([[0.0, 0.0, 0.0, 0.9]]), np.array([2])) == pytest.approx((0.5, 0.0))
