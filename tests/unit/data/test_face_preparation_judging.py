"""Claims about what clips are judged by: offset, turn, shots, parts with a face."""

import numpy as np
import pytest

from chorale.data.faces.config import FacesConfig, QualityConfig
from chorale.data.faces.offset import Offset, estimate_offset, pooled_offset, speech_level
from chorale.data.faces.quality import head_turn, judge_lengths, judge_offset, judge_track
from chorale.data.faces.report import ClipReport, summarise
from chorale.data.faces.track import Track, face_runs, filled, longest_gap

pytestmark = pytest.mark.unit
SAMPLES = 640


def smooth(values, over=5):
    return np.convolve(values, np.hanning(over + 2)[1:-1] / np.hanning(over + 2).sum(), mode="same")


def mouths(aperture):
    """Return landmarks whose inner lips are apart by so much of the distance between the eyes, 40 pixels."""
    points = np.zeros((len(aperture), 68, 2))
    points[:, 36:42], points[:, 42:48] = (30, 40), (70, 40)
    points[:, [61, 62, 63]] = (50, 80)
    points[:, [67, 66, 65], 0] = 50
    points[:, [67, 66, 65], 1] = 80 + 40 * np.asarray(aperture)[:, np.newaxis]
    return points


def talk(frames, late, seed=0, noise=0.0):
    """Return landmarks, and a sound whose level follows their mouth by so many frames (halves too)."""
    draw = np.random.default_rng(seed)
    fine = smooth(draw.uniform(0, 1, 2 * frames + 200), 9)
    lips = fine[100 : 100 + 2 * frames : 2] + noise * draw.standard_normal(frames)
    shift = round(2 * late)
    level_db = 60 * fine[100 - shift : 100 - shift + 2 * frames : 2] - 50
    amplitude = np.repeat(10 ** (level_db / 20), SAMPLES)
    return mouths(np.maximum(lips, 0)), (amplitude * draw.standard_normal(len(amplitude))).astype(np.float32)


def test_level_is_decibels_a_frame_and_forty_below_the_loudest_at_least():
    tones = [amplitude * np.ones(SAMPLES) for amplitude in (1.0, 0.1, 1e-6)]
    assert speech_level(np.concatenate(tones)) == pytest.approx([0, -20, -40], abs=1e-3)


@pytest.mark.parametrize("late", [0, 3, -5, 7.5, -11])
def test_a_known_offset_is_found_to_a_fraction_of_a_frame(late):
    offset = estimate_offset(*talk(150, late))
    assert offset.clear and offset.correlation > 0.5
    assert offset.offset_s == pytest.approx(late / 25, abs=0.02)


def test_sound_that_has_nothing_to_do_with_the_lips_gives_no_clear_offset():
    clear = [estimate_offset(talk(150, 0, seed)[0], talk(150, 0, seed + 100)[1]).clear for seed in range(20)]
    assert sum(clear) <= 2


@pytest.mark.parametrize("frames", [1, 2, 5, 30])
def test_a_short_clip_gives_a_number_and_never_a_clear_one(frames):
    offset = estimate_offset(*talk(frames, 0))
    assert np.isfinite(offset.offset_s) and np.isfinite(offset.correlation) and not offset.clear


def test_lips_that_do_not_move_give_no_clear_offset():
    offset = estimate_offset(mouths(np.full(150, 0.2)), talk(150, 0)[1])
    assert offset.correlation == 0 and not offset.clear


def test_many_clips_together_tell_what_none_of_them_does():
    offsets = [estimate_offset(*talk(49, 4, seed, noise=0.15)) for seed in range(40)]
    assert not any(offset.clear for offset in offsets)
    pooled_s, _ = pooled_offset(offsets)
    assert pooled_s == pytest.approx(0.16, abs=0.02)
    assert pooled_offset([]) is None


def test_only_a_clear_offset_drops_a_clip():
    config = QualityConfig(max_offset_s=0.2)
    assert judge_offset(Offset(0.4, 0.6, False, ()), config) is None
    assert judge_offset(Offset(0.1, 0.6, True, ()), config) is None
    fault = judge_offset(Offset(-0.4, 0.6, True, ()), config)
    assert fault == ("sound off", "by -0.40 s (correlation 0.60)")
    assert judge_offset(Offset(0.4, 0.6, True, ()), QualityConfig(max_offset_s=None)) is None


def faces(turned=0.0, width=80.0, frames=10):
    """Return points whose nose's tip lies beside the middle of the jaw by so much of half its width."""
    points = np.zeros((frames, 68, 2))
    points[:, :17, 0] = np.linspace(0, width, 17)
    points[:, 8, 1] = width
    points[:, 30] = (width / 2 * (1 + turned), width / 2)
    points[:, 36:42], points[:, 42:48] = (0.3 * width, 0.3 * width), (0.7 * width, 0.3 * width)
    return points


@pytest.mark.parametrize("turned", [0.0, 0.3, -0.8])
def test_turn_is_how_far_the_nose_is_from_the_middle(turned):
    points = faces(turned)
    angle = 0.3
    tilted = points @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    assert head_turn(points) == pytest.approx(np.full(10, abs(turned)))
    assert head_turn(tilted) == pytest.approx(np.full(10, abs(turned)))


def unseen(points, *frames):
    points = points.copy()
    points[list(frames)] = np.nan
    return points


@pytest.mark.parametrize(
    "track, reason",
    [
        (Track(faces(), ()), None),
        (Track(unseen(faces(), 3), ()), None),
        (Track(unseen(faces(), 3, 4), ()), "no face"),
        (Track(unseen(faces(frames=200), *range(50, 64)), ()), "no face"),
        (Track(unseen(faces(frames=4), *range(4)), ()), "no face"),
        (Track(faces(), (5,)), "several shots"),
        (Track(faces(width=30), ()), "face too small"),
        (Track(faces(turned=0.7), ()), "head turned"),
    ],
)
def test_a_track_is_judged_by_its_face(track, reason):
    fault = judge_track(track, QualityConfig())
    assert (fault and fault.reason) == reason


@pytest.mark.parametrize(
    "lengths, reason",
    [
        ((3.0, 3.1, 3.1), None),
        ((3.0, 2.9, 0.0), None),
        ((0.5, 3.0, 3.0), "too short"),
        ((3.0, 2.0, 3.0), "sound too short"),
        ((3.0, 3.0, 5.0), "pictures too short"),
        ((3.0, 4.0, 0.0), "pictures too short"),
    ],
)
def test_lengths_of_pictures_and_sound_must_agree(lengths, reason):
    fault = judge_lengths(*lengths, QualityConfig())
    assert (fault and fault.reason) == reason


def test_unseen_frames_are_interpolated_and_held_at_the_ends():
    points = np.arange(6.0)[:, np.newaxis, np.newaxis] * np.ones((6, 68, 2))
    assert filled(unseen(points, 0, 2, 3, 5))[:, 7, 1] == pytest.approx([1, 1, 2, 3, 4, 4])


def test_the_longest_gap_is_counted_at_the_ends_too():
    assert longest_gap(np.array([True, True])) == 0
    assert longest_gap(np.array([False, False, True, False])) == 2
    assert longest_gap(np.array([True, False, True, False, False, False])) == 3


def test_parts_with_a_face_end_at_cuts_and_long_gaps():
    points = unseen(faces(frames=100), *range(10), 20, 21, *range(40, 60), 99)
    assert face_runs(Track(points, ()), 5, max_gap=3) == [(10, 40), (60, 99)]
    assert face_runs(Track(points, (30, 62)), 5, max_gap=3) == [(10, 30), (30, 40), (62, 99)]
    assert face_runs(Track(points, (30, 62)), 15, max_gap=30) == [(10, 30), (30, 62), (62, 99)]
    assert face_runs(Track(points, (30, 62)), 33, max_gap=30) == [(62, 99)]
    assert face_runs(Track(unseen(points, *range(100)), ()), 5, 3) == []


def report(reason=None, **facts):
    return ClipReport(key="a", speaker="b", emotion=None, sentence=None, reason=reason, detail="", facts=facts)


def test_a_summary_counts_reasons_and_pools_the_kept_clips_offsets():
    curve = [0.0] * 14 + [0.4] + [0.0] * 10
    measured = {"seconds": 2.0, "offset_s": 0.0, "offset_correlation": 0.1, "offset_clear": False}
    measured["offset_curve"] = curve
    summary = summarise(
        [report(**measured), report(**measured), report("no face"), report("no face"), report("silent")]
    )
    assert summary["kept"] == 2 and summary["seconds"] == 4.0
    assert summary["dropped"] == {"no face": 2, "silent": 1}
    assert summary["offset"] == {"pooled_s": 0.08, "correlation": 0.4, "clear_clips": 0}
    assert summarise([report("silent")])["offset"] is None
    assert report("silent").row()["seconds"] == "" and report(**measured).row()["seconds"] == 2.0


def test_frames_have_even_sides_and_an_odd_window():
    with pytest.raises(ValueError, match="even"):
        FacesConfig(height=31)
    with pytest.raises(ValueError, match="odd"):
        FacesConfig(smoothed_over=4)
    with pytest.raises(ValueError, match="max_s lies below"):
        QualityConfig(min_s=3, max_s=2)
