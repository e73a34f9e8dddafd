import numpy as np
import pytest

from chorale.core.errors import InputError
from chorale.experiments.fedtts.corpus.durations import frame_durations

pytestmark = pytest.mark.unit


def test_a_hand_made_utterance_has_the_frames_that_one_counts():
    # Frames of 0.1 s: edges at 0.2, 0.34 -> 0.3, 0.96 -> 1.0; one frame of ten and a half is left for the end.
    assert frame_durations([0.2, 0.34, 0.96], 0.0, 11, 0.1, 1.1).tolist() == [2, 1, 7, 1]


def test_what_is_trimmed_off_has_no_frames():
    # Half a second is cut off the begin and the rest behind 1.0 s: four phones, the first and last of silence.
    durations = frame_durations([0.4, 0.8, 1.2, 1.8], 0.5, 5, 0.1, 1.8)
    assert durations.tolist() == [0, 3, 2, 0, 0]


def test_durations_are_whole_are_never_negative_and_sum_to_the_frames_whatever_the_times():
    generator = np.random.default_rng(0)
    for _ in range(200):
        ends_s = np.cumsum(generator.uniform(1e-3, 0.3, size=generator.integers(1, 60)))
        recording_s = ends_s[-1] + generator.uniform(0, 0.05)
        start_s = generator.uniform(0, 0.5 * recording_s)
        frames = int((recording_s - start_s) / 0.0116)
        durations = frame_durations(ends_s.tolist(), start_s, frames, 0.0116, recording_s)
        assert durations.dtype == np.int64 and len(durations) == len(ends_s) + 1
        assert durations.min() >= 0 and durations.sum() == frames


def test_roundings_do_not_add_up():
    ends_s = [0.014 * (index + 1) for index in range(500)]
    edges = np.cumsum(frame_durations(ends_s, 0.0, 700, 0.01, 7.0))[:-1]
    assert np.abs(edges * 0.01 - ends_s).max() <= 0.005 + 1e-9


def test_labels_of_another_recording_are_refused():
    with pytest.raises(InputError, match=r"labels end at 2\.00 s, but the recording at 1\.50 s; give the recording"):
        frame_durations([1.0, 2.0], 0.0, 150, 0.01, 1.5)
    assert frame_durations([1.0, 1.55], 0.0, 150, 0.01, 1.5).sum() == 150
