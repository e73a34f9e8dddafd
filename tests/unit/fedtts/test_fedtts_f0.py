import math

import numpy as np
import pytest

from chorale.core.errors import InputError
from chorale.experiments.fedtts.metrics.f0 import f0_error
from chorale.experiments.fedtts.metrics.warping import WarpingPath
from chorale.media.audio.pitch import analyse

pytestmark = pytest.mark.unit


def path(*pairs: tuple[int, int]) -> WarpingPath:
    along = np.array(pairs)
    return WarpingPath(along[:, 0], along[:, 1], np.zeros(len(pairs)))


def test_the_error_of_log_f0_is_over_pairs_voiced_in_both_and_the_rest_counts_as_voicing_errors():
    reference = np.array([100.0, 200.0, 0.0, 150.0])
    other = np.array([100.0, 220.0, 90.0, 0.0, 0.0])
    # Voiced in both: (0,0) ratio 1, (1,1) ratio 1.1; one voiced: (2,2), (3,3), (3,4).
    result = f0_error(reference, other, path((0, 0), (1, 1), (2, 2), (3, 3), (3, 4)))
    assert result.log_f0_rmse == pytest.approx(math.sqrt(math.log(1.1) ** 2 / 2))
    assert result.voicing_error == pytest.approx(3 / 5)
    assert result.voiced_pairs == 2


def test_an_octave_is_the_logarithm_of_two_whatever_the_pitch():
    reference = np.array([80.0, 160.0, 300.0])
    assert f0_error(reference, 2 * reference, path((0, 0), (1, 1), (2, 2))).log_f0_rmse == pytest.approx(math.log(2))


def test_where_nothing_is_voiced_in_both_there_is_no_error_of_pitch():
    result = f0_error(np.array([0.0, 100.0]), np.array([100.0, 0.0]), path((0, 0), (1, 1)))
    assert result == (None, 1.0, 0)


def test_a_buzz_is_voiced_at_its_pitch_and_noise_is_not():
    rate_hz = 16000
    time = np.arange(rate_hz) / rate_hz
    buzz = sum(np.sin(2 * np.pi * 125 * k * time) / k for k in range(1, 20))
    pitch = analyse((0.1 * buzz).astype(np.float32), rate_hz).f0_hz[20:-20]
    assert (pitch > 0).all()
    assert pitch == pytest.approx(np.full(len(pitch), 125.0), rel=0.01)
    noise = np.random.default_rng(0).standard_normal(rate_hz) * 0.1
    assert (analyse(noise, rate_hz).f0_hz > 0).mean() < 0.3


def test_a_rising_tone_is_off_by_its_ratio_along_the_path():
    rate_hz = 16000
    time = np.arange(rate_hz) / rate_hz

    def voice(pitch_hz: float) -> np.ndarray:
        return 0.1 * sum(np.sin(2 * np.pi * pitch_hz * k * time) / k for k in range(1, 20))

    low, high = analyse(voice(120.0), rate_hz), analyse(voice(150.0), rate_hz)
    frames = np.arange(20, len(low.f0_hz) - 20)
    result = f0_error(low.f0_hz, high.f0_hz, WarpingPath(frames, frames, np.zeros(len(frames))))
    assert result.log_f0_rmse == pytest.approx(math.log(150 / 120), rel=0.02)
    assert result.voicing_error == 0.0


@pytest.mark.parametrize(("samples", "told"), [(np.zeros(16000), "silent"), (np.ones(100), "too short")])
def test_silence_and_a_click_are_input_errors(samples, told):
    with pytest.raises(InputError, match=told):
        analyse(samples, 16000)


def test_frames_are_as_far_apart_as_asked():
    noise = np.random.default_rng(0).standard_normal(16000) * 0.1
    assert len(analyse(noise, 16000, 10.0).f0_hz) == 101
    analysis = analyse(noise, 16000)
    assert len(analysis.f0_hz) == len(analysis.envelope) == 201
    assert (analysis.envelope > 0).all()
