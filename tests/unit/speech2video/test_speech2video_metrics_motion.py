"""Claims about blinking, heads, lips, intervals and controls, each against a case by hand."""

import math

import numpy as np
import pytest

from chorale.experiments.speech2video.metrics.closures import Phone, Range, closures, speaker_range
from chorale.experiments.speech2video.metrics.comparison import against_controls, by_unit, paired
from chorale.experiments.speech2video.metrics.controls import CONTROLS, MEASURES
from chorale.experiments.speech2video.metrics.lips import correlation, lip_correlation, partners
from chorale.experiments.speech2video.metrics.motion import blinks, eye_aspect_ratio, head_motion
from chorale.experiments.speech2video.metrics.resampling import bootstrap_mean, bootstrap_ratio, wilson

pytestmark = pytest.mark.unit


def eyes(left_height, right_height):
    """Return points of eyes 30 wide."""
    points = np.zeros((1, 68, 2))
    for first, height in ((36, left_height), (42, right_height)):
        points[0, first : first + 6] = [(0, 0), (10, -height / 2), (20, -height / 2), (30, 0), (20, height / 2),
                                        (10, height / 2)]  # fmt: skip
    return points


def head(x=0.0, y=0.0, degrees=0.0):
    """Return points with eyes 60 apart and the nose below, moved and turned."""
    points = np.random.default_rng(0).uniform(-50, 50, (68, 2))
    points[[36, 39]], points[[42, 45]], points[31:36] = (-30, 0), (30, 0), (0, 40)
    turn = np.deg2rad(degrees)
    return points @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + (x, y)


def test_eye_aspect_ratio_by_hand():
    # (9 + 9) / (2 * 30) and (3 + 3) / (2 * 30): 0.3 and 0.1.
    assert eye_aspect_ratio(eyes(9, 3)) == pytest.approx([0.2])
    assert eye_aspect_ratio(eyes(9, 9) * 7 + 3) == pytest.approx([0.3])


def test_bytes_of_eyes_do_not_wrap():
    points = (eyes(8, 8) + 50).astype(np.uint8)
    assert eye_aspect_ratio(points) == pytest.approx(eye_aspect_ratio(points.astype(float)))


def test_blinks_last_and_single_frames_do_not_count():
    ratio = np.full(250, 0.3)
    ratio[10:14] = 0.1  # A blink.
    ratio[50] = 0.1  # An error of the points.
    ratio[248:] = 0.1  # A blink that the end cuts: two frames.
    assert blinks(ratio, 25.0) == (2, pytest.approx(12.0))


def test_frames_without_a_face_are_no_time_and_no_blink():
    ratio = np.full(250, np.nan)
    assert blinks(ratio, 25.0) == (0, None)
    ratio[:125] = 0.3
    ratio[20:24] = 0.05
    assert blinks(ratio, 25.0) == (1, pytest.approx(12.0))


def test_head_motion_by_hand():
    # Half of the frames 6 to the right: a deviation of 3 for eyes 60 apart.
    assert head_motion(np.array([head(), head(x=6)])) == pytest.approx((0.05, 0.0))
    assert head_motion(np.array([head(degrees=-4), head(degrees=4)])).roll_deg == pytest.approx(4.0)
    # On its side a face does not jump by a whole turn.
    assert head_motion(np.array([head(degrees=179), head(degrees=181)])).roll_deg == pytest.approx(1.0)


def test_a_head_of_one_frame_has_no_motion():
    points = np.array([head(), np.full((68, 2), np.nan)])
    assert head_motion(points) is None


def test_correlation_by_hand():
    # Deviations (-1, 0, 1) and (-1, 1, 0): 1 / 2.
    assert correlation(np.array([1, 2, 3]), np.array([1, 3, 2])) == pytest.approx(0.5)
    assert correlation(np.array([1, 2, np.nan, 3]), np.array([1.0, 3.0, 99.0, 2.0])) == pytest.approx(0.5)
    assert correlation(np.arange(9), -np.arange(9)) == pytest.approx(-1)


def test_a_mouth_that_does_not_move_has_no_correlation():
    assert correlation(np.full(9, 0.3), np.arange(9.0)) is None
    assert correlation(np.array([1.0, 2.0]), np.array([1.0, 2.0])) is None


def test_bytes_of_apertures_do_not_wrap():
    first, second = np.array([3, 250, 7, 9], np.uint8), np.array([1, 255, 9, 4], np.uint8)
    assert correlation(first, second) == pytest.approx(np.corrcoef(first, second)[0, 1])


@pytest.mark.parametrize("count", [2, 3, 10])
def test_everyone_gets_another_partner(count):
    found = partners(count, seed=1)
    assert sorted(found) == list(range(count))
    assert all(other != one for one, other in enumerate(found))
    assert found == partners(count, seed=1)


def utterances(seed, count=20):
    random = np.random.default_rng(seed)
    return [random.normal(size=random.integers(40, 60)) for _ in range(count)]


def test_lips_that_follow_are_told_from_other_speech():
    real = utterances(0)
    found = lip_correlation([one + 0.1 * np.random.default_rng(1).normal(size=len(one)) for one in real], real, seed=0)
    assert found.utterances == 20
    assert found.matched.low > 0.9
    assert found.shuffled.low < 0 < found.shuffled.high
    assert found.difference.low > 0.5


def test_lips_that_only_move_are_seldom_taken_to_follow():
    wrong = 0
    for seed in range(60):
        real = utterances(seed)
        moving = [np.random.default_rng(seed + 1000).permutation(one) for one in real]
        difference = lip_correlation(moving, real, seed).difference
        wrong += difference.low > 0
    # 2.5 % of 60 are 1.5; eight or more would come once in ten thousand.
    assert wrong < 8


def test_one_utterance_has_no_interval():
    assert lip_correlation([np.arange(9.0)], [np.arange(9.0)], seed=0) == (None, None, None, 0)


def test_closed_lips_by_hand():
    aperture = np.array([0.5, 0.05, 0.5, 0.5, 0.5, 0.15, np.nan, 0.02])
    phones = [
        Phone("AH", 0.0, 0.04),
        Phone("B", 0.04, 0.08),  # Frame 1: 0.05 is closed.
        Phone("m", 0.08, 0.16),  # Frames 2 and 3 are open.
        Phone("p", 0.20, 0.24),  # Frame 5: 0.15 is not at most 0.1.
        Phone("P", 0.24, 0.28),  # Frame 6 has no face: not counted.
        Phone("pau", 0.28, 0.32),  # A pause is no p.
        Phone("m", 5.0, 5.1),  # Beyond the end.
    ]
    found = closures(aperture, phones, 25.0, Range(0.0, 0.5), closed_share=0.2)
    assert found == (1, 3)
    assert found.share == pytest.approx(1 / 3)
    assert closures(aperture, phones[:1], 25.0, Range(0.0, 0.5)).share is None


def test_a_sound_shorter_than_a_frame_is_looked_for_in_the_frame_it_falls_into():
    aperture = np.array([0.9, 0.0, 0.9])
    assert closures(aperture, [Phone("b", 0.05, 0.06)], 25.0, Range(0, 1)) == (1, 1)
    assert closures(aperture, [Phone("b", 0.04, 0.04)], 25.0, Range(0, 1)) == (1, 1)


def test_the_range_is_over_all_of_a_speakers_videos():
    found = speaker_range([np.linspace(0, 0.5, 501), np.linspace(0.5, 1, 501), np.array([np.nan])])
    assert found == pytest.approx((0.05, 0.95), abs=1e-3)
    with pytest.raises(ValueError):
        speaker_range([np.array([np.nan])])


def test_wilson_by_hand():
    # 8 of 10 and z = 1.96: (0.8 + 0.19208 ± 1.96 sqrt(0.016 + 0.009604)) / 1.38416
    found = wilson(8, 10)
    assert found == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 0) is None
    assert wilson(0, 5).low == pytest.approx(0, abs=1e-12)


def test_the_bootstrap_of_a_mean_is_near_the_normal_interval():
    values = np.random.default_rng(0).normal(5, 2, 200)
    half = 1.96 * values.std() / math.sqrt(200)
    found = bootstrap_mean(values.tolist(), seed=0)
    assert found.estimate == pytest.approx(values.mean())
    assert found[1:] == pytest.approx((values.mean() - half, values.mean() + half), abs=0.1)
    assert found == bootstrap_mean(values.tolist(), seed=0)


def test_units_are_drawn_whole():
    # Four units that agree within themselves: answers are not independent, and the interval knows it.
    clustered = bootstrap_ratio([20, 20, 0, 0], [20, 20, 20, 20], seed=0)
    assert clustered.estimate == 0.5
    assert clustered.low <= 0.25 < 0.75 <= clustered.high
    assert wilson(40, 80).low > 0.38
    assert bootstrap_ratio([1], [1], seed=0) is None
    assert bootstrap_ratio([0, 0], [0, 0], seed=0) is None


def test_every_control_of_the_notes_is_declared():
    assert [control.name for control in CONTROLS] == ["real", "re-encoded", "still", "mean-face", "shuffled"]
    assert len({measure.name for measure in MEASURES}) == len(MEASURES)


def test_utterances_are_averaged_by_speaker_and_numbered_alike():
    speakers = {"a1": "ann", "a2": "ann", "b1": "bob", "c1": "cid"}
    assert by_unit({"a1": 1.0, "a2": 3.0, "b1": None, "c1": 5.0}, speakers) == {0: 2.0, 2: 5.0}


def test_only_what_both_have_is_compared():
    assert paired({"a": 1.0, "b": None, "c": 2.0}, {"a": 3.0, "b": 4.0}) == ({"a": 1.0}, {"a": 3.0})


def test_effects_against_controls_by_hand():
    speakers = {f"{who}{number}": who for who in ("ann", "bob", "cid") for number in (1, 2)}
    ours = {name: 1.0 + 0.1 * number for number, name in enumerate(speakers)}
    controls = {
        "shuffled": {"lmd_px": {name: value + 1.0 for name, value in ours.items()}},
        "real": {"lmd_px": dict.fromkeys(speakers, 0.0), "ssim": dict.fromkeys(speakers, 1.0)},
        "unknown": {"lmd_px": ours},
    }
    found = against_controls({"lmd_px": ours, "blinks_per_min": ours}, controls, speakers, 0.95)
    assert [(effect.comparison.against, effect.comparison.figure) for effect in found] == [
        ("real", "lmd_px"),
        ("shuffled", "lmd_px"),
    ]
    ceiling, floor = found
    # Means of the speakers: 1.05, 1.25, 1.45; t of 2 degrees of freedom is 4.303, the deviation 0.2.
    assert ceiling.estimate == pytest.approx(1.25)
    assert ceiling.high - ceiling.estimate == pytest.approx(4.303 * 0.2 / math.sqrt(3), abs=1e-3)
    assert (ceiling.comparison.claimed.direction, ceiling.verdict) == ("higher", "supported")
    assert (floor.estimate, floor.pairs) == (pytest.approx(-1.0), 3)
    assert (floor.comparison.claimed.direction, floor.verdict) == ("lower", "supported")


def test_a_generator_that_ignores_the_speech_is_seldom_better_than_with_shuffled_speech():
    speakers = {f"s{number}": f"s{number}" for number in range(8)}
    supported = 0
    for seed in range(60):
        ours, shuffled = (
            dict(zip(speakers, row, strict=True)) for row in np.random.default_rng(seed).normal(size=(2, 8))
        )
        (effect,) = against_controls({"ssim": ours}, {"shuffled": {"ssim": shuffled}}, speakers, 0.95)
        supported += effect.verdict == "supported"
    assert supported < 8
