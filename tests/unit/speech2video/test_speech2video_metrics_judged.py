"""Claims about measures that stand on a network's features: sync, identity, emotion, Fréchet distance."""

import logging
import math

import numpy as np
import pytest
from scipy.linalg import sqrtm

from chorale.experiments.speech2video.metrics.emotion import majority, recognition
from chorale.experiments.speech2video.metrics.frechet import Gaussian, frechet_distance, gaussian, gaussian_distance
from chorale.experiments.speech2video.metrics.identity import acd_consistency, acd_reference, distances, retrieval
from chorale.experiments.speech2video.metrics.sync import lip_sync, shift_distances

pytestmark = pytest.mark.unit


def normal(seed, shape):
    return np.random.default_rng(seed).normal(size=shape)


def test_sync_by_hand():
    # One feature. Face n shows 10 (n + 1); the speech is a frame late: speech n + 1 fits face n.
    faces = np.array([[10.0], [20.0], [30.0]])
    speech = np.array([[0.0], [10.0], [20.0]])
    # Shift -1 meets 0, 0, 10: |10|, |20|, |20|. Shift 0 is 10 off everywhere. Shift 1 meets 10, 20 and padding.
    assert shift_distances(speech, faces, furthest=1) == pytest.approx([50 / 3, 10, 10])
    found = lip_sync(speech, faces, furthest=1, padded=False)
    # Without padding: (20 + 20) / 2, 10, 0.
    assert found == pytest.approx((0.0, 10.0, -1))


@pytest.mark.parametrize("late", [-4, 0, 7])
def test_the_offset_is_where_speech_was_moved_to(late):
    faces = normal(0, (60, 8))
    found = lip_sync(np.roll(faces, late, axis=0), faces)
    assert found.offset_frames == -late
    assert found.distance < 1.0
    assert found.confidence > 2.0


def test_sync_with_anything_else_is_not_trusted():
    found = lip_sync(normal(1, (200, 16)), normal(2, (200, 16)))
    assert found.confidence < 0.3
    assert found.distance == pytest.approx(math.sqrt(2 * 16), rel=0.05)


def test_sync_agrees_with_the_authors_loop():
    speech, faces = normal(3, (40, 4)), normal(4, (40, 4))
    padded = np.concatenate([np.zeros((15, 4)), speech, np.zeros((15, 4))])
    table = np.array([[np.sqrt(((faces[n] - padded[n + k]) ** 2).sum()) for k in range(31)] for n in range(40)])
    mean = table.mean(axis=0)
    found = lip_sync(speech, faces)
    assert found == pytest.approx((mean.min(), np.median(mean) - mean.min(), 15 - mean.argmin()))


def test_bytes_are_measured_as_floats():
    speech, faces = (np.random.default_rng(seed).integers(0, 256, (40, 4), dtype=np.uint8) for seed in (1, 2))
    assert lip_sync(speech, faces) == lip_sync(speech.astype(float), faces.astype(float))
    assert acd_reference(speech, faces) == acd_reference(speech.astype(float), faces.astype(float))
    assert acd_consistency(speech) == acd_consistency(speech.astype(float))
    assert frechet_distance(speech, faces) == frechet_distance(speech.astype(float), faces.astype(float))


def test_too_short_a_clip_has_no_sync():
    with pytest.raises(ValueError, match="more than 15 windows"):
        lip_sync(normal(0, (15, 4)), normal(0, (15, 4)))
    with pytest.raises(ValueError, match="windows, features"):
        lip_sync(normal(0, (40, 4)), normal(0, (39, 4)))


def test_distances_to_the_person_by_hand():
    generated, real = np.array([[2.0, 0.0], [0.0, 3.0]]), np.array([[1.0, 0.0]])
    assert acd_reference(generated, real) == pytest.approx((0 + 1) / 2)
    assert acd_reference(generated, real, "euclidean") == pytest.approx((1 + math.sqrt(10)) / 2)


def test_distance_within_a_video_by_hand():
    # A triangle of sides 3, 4 and 5.
    assert acd_consistency(np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])) == pytest.approx(4.0)
    assert acd_consistency(np.ones((5, 3))) == 0
    assert acd_consistency(np.ones((1, 3))) is None


def test_a_still_of_someone_else_is_consistent_and_the_wrong_person():
    person, other = np.eye(4)[:1], np.eye(4)[1:2]
    still = np.repeat(other, 6, axis=0)
    assert acd_consistency(still) == 0
    assert acd_reference(still, person) == pytest.approx(1.0)


def test_embeddings_without_direction_or_rows_are_refused():
    with pytest.raises(ValueError, match="no direction"):
        distances(np.zeros((1, 3)), np.ones((1, 3)))
    with pytest.raises(ValueError, match="faces, features"):
        distances(np.ones((0, 3)), np.ones((1, 3)))


def test_retrieval_by_hand():
    gallery, names = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), ("ann", "bob", "ann")
    generated = np.array([[5.0, 0.1], [1.0, 0.9], [9.0, 1.0]])
    found = retrieval(generated, ("ann", "ann", "bob"), gallery, names)
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.chance == pytest.approx((2 + 2 + 1) / 9)
    with pytest.raises(ValueError, match="eve is not"):
        retrieval(generated, ("ann", "ann", "eve"), gallery, names)


def test_most_frames_decide_and_then_the_sum():
    assert majority(np.array([[9.0, 0.0], [0.0, 1.0], [0.0, 1.0]])) == 1
    assert majority(np.array([[9.0, 0.0], [0.0, 1.0]])) == 0
    with pytest.raises(ValueError, match="finite logits"):
        majority(np.empty((0, 3)))


def test_recognition_by_hand():
    found = recognition([0, 1, 1, 2], [0, 0, 1, 1], 3)
    assert found.accuracy == 0.5
    assert found.confusion.tolist() == [[1, 1, 0], [0, 1, 1], [0, 0, 0]]
    assert (found.uniform_chance, found.majority_chance) == (pytest.approx(1 / 3), 0.5)
    with pytest.raises(ValueError, match="from 0 to 2"):
        recognition([3], [0], 3)


def test_frechet_distance_of_gaussians_by_hand():
    # Covariances with the same axes: |m - m'|² + sum of (s - s')² over the axes.
    first = Gaussian(np.array([0.0, 0.0]), np.diag([4.0, 9.0]), 100)
    second = Gaussian(np.array([3.0, 4.0]), np.diag([1.0, 16.0]), 100)
    assert gaussian_distance(first, second) == pytest.approx(25 + 1 + 1)
    assert gaussian_distance(first, first) == pytest.approx(0, abs=1e-12)


def test_frechet_distance_is_that_of_a_general_matrix_root():
    first, second = gaussian(normal(0, (90, 6)) @ normal(1, (6, 6))), gaussian(normal(2, (80, 6)) @ normal(3, (6, 6)))
    root = sqrtm(first.covariance @ second.covariance)
    wanted = ((first.mean - second.mean) ** 2).sum() + np.trace(first.covariance + second.covariance - 2 * root.real)
    assert gaussian_distance(first, second) == pytest.approx(wanted)
    assert gaussian_distance(second, first) == pytest.approx(wanted)


def test_frechet_distance_finds_the_parameters_it_was_drawn_from():
    found = frechet_distance(2 * normal(0, (20000, 2)) + 1, normal(1, (20000, 2)))
    assert found == pytest.approx(2 * (1 + 1), rel=0.05)


def test_few_samples_stay_real_and_are_told_of(caplog):
    features = normal(0, (5, 64))
    with caplog.at_level(logging.WARNING):
        assert frechet_distance(features, features) == pytest.approx(0, abs=1e-6)
        assert math.isfinite(frechet_distance(features, normal(1, (6, 64))))
    assert "5 generated samples of 64 features" in caplog.text
    caplog.clear()
    frechet_distance(normal(0, (65, 64)), normal(1, (65, 64)))
    assert not caplog.records


def test_one_sample_or_none_has_no_spread():
    with pytest.raises(ValueError, match="two or more"):
        gaussian(np.ones((1, 4)))
    with pytest.raises(ValueError, match="two or more"):
        gaussian(np.full((3, 4), np.nan))
