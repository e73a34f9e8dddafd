import argparse
import json
import math
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile

from chorale.core.errors import InputError
from chorale.experiments.fedtts.mcd_command import compare, mcd_command
from chorale.experiments.fedtts.metrics.cepstra import all_pass_constant, log_mel_cepstra, mel_cepstra
from chorale.experiments.fedtts.metrics.mcd import McdSettings, distortion, log_mel_distortion, world_distortion
from chorale.experiments.fedtts.metrics.warping import warp
from chorale.media.audio.pitch import analyse

pytestmark = pytest.mark.unit
RATE = 16000
SETTINGS = McdSettings("log-mel", 4, 5.0, None)


def apart(frames: int, order: int = 4) -> np.ndarray:
    """Cepstra whose frames lie far from one another, so that the path must keep to the diagonal."""
    return 100.0 * np.arange(frames)[:, None] + np.random.default_rng(0).standard_normal((frames, order + 1))


def vowel(formants_hz: list[tuple[float, float]], pitch_hz: float = 120.0, seconds: float = 0.6) -> np.ndarray:
    """A buzz through two resonances that glide from the first pair of formants to the last, evenly in time."""
    count = round(seconds * RATE)
    time = np.linspace(0, 1, count)
    along = np.linspace(0, 1, len(formants_hz))
    centres = [np.interp(time, along, [pair[k] for pair in formants_hz]) for k in (0, 1)]
    wave = np.zeros(count)
    for harmonic in range(1, int(RATE / 2 / pitch_hz)):
        frequency = harmonic * pitch_hz
        gain = sum(1 / (1 + ((frequency - centre) / 100) ** 2) for centre in centres) + 0.01
        wave += gain * np.sin(2 * np.pi * frequency * np.arange(count) / RATE)
    return (0.05 * wave).astype(np.float32)


def cheapest(first: np.ndarray, second: np.ndarray) -> float:
    """The smallest sum over all paths, by recursion over every one of them."""

    @cache
    def best(i: int, j: int) -> float:
        here = float(np.linalg.norm(first[i] - second[j]))
        if i == j == 0:
            return here
        return here + min(best(a, b) for a, b in ((i - 1, j), (i, j - 1), (i - 1, j - 1)) if a >= 0 and b >= 0)

    return best(len(first) - 1, len(second) - 1)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 5), (6, 1), (5, 8), (9, 4), (7, 7)])
def test_a_warping_path_is_whole_and_the_cheapest_of_all(n, m):
    generator = np.random.default_rng(n * 10 + m)
    for _ in range(10):
        first, second = generator.standard_normal((n, 3)), generator.standard_normal((m, 3))
        path = warp(first, second)
        assert path.distances.sum() == pytest.approx(cheapest(first, second))
        assert path.distances == pytest.approx(np.linalg.norm(first[path.first] - second[path.second], axis=1))
        assert (path.first[0], path.second[0], path.first[-1], path.second[-1]) == (0, 0, n - 1, m - 1)
        steps = set(zip(np.diff(path.first).tolist(), np.diff(path.second).tolist(), strict=True))
        assert steps <= {(0, 1), (1, 0), (1, 1)}


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (np.zeros((0, 2)), np.zeros((3, 2)), "holds no frame"),
        (np.zeros((3, 2)), np.zeros((3, 4)), "do not compare"),
        (np.full((3, 2), np.nan), np.zeros((3, 2)), "not finite"),
        (np.broadcast_to(0.0, (30_000, 1)), np.broadcast_to(0.0, (30_000, 1)), "compare shorter parts"),
    ],
)
def test_sequences_that_cannot_be_aligned_are_input_errors(first, second, told):
    with pytest.raises(InputError, match=told):
        warp(first, second)


def test_identical_cepstra_have_no_distortion_and_a_straight_path():
    result = distortion(apart(12), apart(12), SETTINGS)
    assert result.db == 0.0
    assert np.array_equal(result.path.first, np.arange(12))
    assert np.array_equal(result.path.second, np.arange(12))


def test_a_shift_of_one_cepstrum_is_the_closed_form_and_one_of_the_level_is_nothing():
    shifted = apart(12)
    shifted[:, 3] += 0.7
    shifted[:, 0] += 50.0
    assert distortion(apart(12), shifted, SETTINGS).db == pytest.approx(10 / math.log(10) * math.sqrt(2) * 0.7)
    assert distortion(apart(12), shifted, SETTINGS).db == pytest.approx(6.14185 * 0.7, rel=1e-5)


def test_a_stretched_copy_has_no_distortion_after_warping():
    stretched = np.repeat(apart(12), [1, 2, 3] * 4, axis=0)
    assert distortion(apart(12), stretched, SETTINGS).db == 0.0


def test_the_distance_per_recorded_frame_counts_what_was_stammered_where_the_mean_over_the_path_dilutes_it():
    reference = np.zeros((4, 2))
    reference[:, 1] = [0, 10, 20, 30]
    stammered = np.zeros((7, 2))
    stammered[:, 1] = [0, 11, 9, 11, 9, 20, 30]
    result = distortion(reference, stammered, SETTINGS)
    unit = 10 / math.log(10) * math.sqrt(2)
    assert result.db == pytest.approx(unit * 4 / 7)
    assert result.db_per_frame == pytest.approx(unit * 4 / 4)


def test_the_distortion_of_log_mels_at_full_order_is_their_rms_difference_in_db_without_the_mean():
    first, second = np.random.default_rng(0).standard_normal((2, 1, 40))
    difference_db = 20 / math.log(10) * (first - second)[0]
    expected = math.sqrt(np.mean((difference_db - difference_db.mean()) ** 2))
    assert log_mel_distortion(first, second, 10.0, order=39).db == pytest.approx(expected)


def test_log_mel_cepstra_give_the_spectrum_back():
    mel = np.random.default_rng(0).standard_normal((3, 10))
    cepstra = log_mel_cepstra(mel, 9)
    angles = np.pi * (np.arange(10) + 0.5) / 10
    assert cepstra @ np.cos(np.outer(np.arange(10), angles)) == pytest.approx(mel)


@pytest.mark.parametrize("order", [0, 10])
def test_an_order_that_the_bins_do_not_hold_is_an_input_error(order):
    with pytest.raises(InputError, match="order"):
        log_mel_distortion(np.zeros((3, 10)), np.zeros((3, 10)), 10.0, order)


@pytest.mark.parametrize("alpha", [0.0, 0.41, 0.55])
def test_mel_cepstra_of_an_envelope_made_from_them_are_the_ones_it_was_made_from(alpha):
    # The envelope is evaluated at the phase of the all-pass, which the series of the conversion know nothing of.
    wanted = np.array([[0.5, 1.0, -0.7, 0.3, 0.2], [-2.0, 0.1, 0.4, -0.3, 0.1]])
    angle = np.linspace(0, np.pi, 513)
    warped = angle + 2 * np.arctan(alpha * np.sin(angle) / (1 - alpha * np.cos(angle)))
    log_magnitude = wanted @ np.cos(np.outer(np.arange(5), warped))
    assert mel_cepstra(np.exp(2 * log_magnitude), 4, alpha) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize(("rate_hz", "alpha"), [(44100, 0.544), (48000, 0.554), (16000, 0.42), (10000, 0.35)])
def test_the_all_pass_constant_is_the_one_usual_at_the_sample_rate(rate_hz, alpha):
    assert all_pass_constant(rate_hz) == pytest.approx(alpha, abs=0.011)


def test_a_louder_copy_has_no_distortion_and_another_vowel_has_much():
    a, i = vowel([(700.0, 1200.0)]), vowel([(300.0, 2300.0)])
    plain, loud, other = (analyse(wave, RATE) for wave in (a, 2 * a, i))
    assert world_distortion(plain, plain).db == 0.0
    assert world_distortion(plain, loud).db < 0.1
    assert world_distortion(plain, other).db > 5.0


def test_a_slower_copy_of_a_glide_comes_near_and_the_glide_back_does_not():
    glide = [(700.0, 1200.0), (300.0, 2300.0)]
    quick, slow = analyse(vowel(glide), RATE), analyse(vowel(glide, seconds=0.9), RATE)
    back = analyse(vowel(glide[::-1]), RATE)
    assert world_distortion(quick, slow).db < 0.15 * world_distortion(quick, back).db


def test_another_pitch_changes_the_envelope_little():
    # Harmonics of 110 and 130 Hz sample the same formants at other places.
    one, other = (analyse(vowel([(700.0, 1200.0)], pitch_hz), RATE) for pitch_hz in (110.0, 130.0))
    third = analyse(vowel([(300.0, 2300.0)], 110.0), RATE)
    assert world_distortion(one, other).db < 0.5 * world_distortion(one, third).db


def test_recordings_of_two_rates_do_not_compare():
    wave = vowel([(700.0, 1200.0)])
    with pytest.raises(InputError, match="16000 Hz and 22050 Hz"):
        world_distortion(analyse(wave, RATE), analyse(wave, 22050))


def test_the_distortion_is_that_of_an_independent_package_up_to_its_unit():
    package = pytest.importorskip("mel_cepstral_distance")
    generator = np.random.default_rng(0)
    # Smooth in time as speech is; energies in bel, 20 bins, as that package has them.
    bels = [np.cumsum(generator.standard_normal((frames, 20)), axis=0) for frames in (40, 55)]
    theirs, penalty = package.compare_mel_spectrograms(*bels, s=0, D=16, align_target="mfcc", dtw_radius=None)
    ours = log_mel_distortion(*(math.log(10) / 2 * bel for bel in bels), 8.0, order=16)
    # It sums cosines over 20 bins without a factor, of powers' decimal logarithms; see the closed form above.
    assert ours.db == pytest.approx(10 * math.sqrt(2) / 20 * theirs)
    assert 2 - (40 + 55) / len(ours.path.first) == pytest.approx(penalty)


@pytest.fixture
def recordings(tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "a.wav", tmp_path / "b.wav"
    soundfile.write(paths[0], vowel([(700.0, 1200.0), (300.0, 2300.0)]), RATE)
    soundfile.write(paths[1], vowel([(650.0, 1300.0), (300.0, 2300.0)], 150.0, 0.75), RATE)
    return paths


def test_the_verb_finds_nothing_between_a_file_and_itself(recordings):
    value = compare(recordings[0], recordings[0])
    assert value["world"]["mcd_db"] == value["log_mel"]["mcd_db"] == 0.0
    assert value["f0"]["log_f0_rmse"] == value["f0"]["voicing_error"] == 0.0
    assert value["duration_ratio"] == 1.0


def test_the_verb_states_its_settings_and_shows_figures_to_a_person(recordings):
    command = mcd_command()
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    value = command.run(parser.parse_args([*map(str, recordings), "--order", "20"]))
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    assert value["world"]["settings"] == {
        "features": "world",
        "order": 20,
        "frame_ms": 5.0,
        "alpha": all_pass_constant(RATE),
        "alignment": "dtw",
    }
    assert value["log_mel"]["mel"]["n_fft"] == 1024
    assert value["log_mel"]["settings"]["frame_ms"] == 16.0
    assert value["duration_ratio"] == pytest.approx(1.25)
    assert value["f0"]["log_f0_rmse"] == pytest.approx(math.log(150 / 120), rel=0.05)
    shown = command.render(value)
    assert "order 20, without c0, alpha 0.4" in shown
    assert "log F0 RMSE" in shown


def test_a_kind_alone_is_measured_alone(recordings):
    assert {"world", "f0"}.isdisjoint(compare(*recordings, kind="log-mel"))
    assert "log_mel" not in compare(*recordings, kind="world")


def test_without_pyworld_the_verb_names_the_extra_and_log_mels_still_compare(recordings, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyworld", None)
    with pytest.raises(InputError, match=r"pyworld is not installed; install it with: pip install 'chorale\[speech\]'"):
        compare(*recordings)
    assert compare(*recordings, kind="log-mel")["log_mel"]["mcd_db"] > 0


@pytest.mark.parametrize(
    ("content", "rate_hz", "told"),
    [
        (vowel([(700.0, 1200.0)]), 22050, "at 22050 Hz; resample one of them, for example: ffmpeg -i .*other.wav -ar"),
        (np.zeros(RATE), RATE, "other.wav: a recording is silent throughout"),
        (np.ones(100), RATE, "other.wav: a recording of 100 samples is too short"),
        (None, RATE, "other.wav: not a readable recording"),
    ],
)
def test_what_cannot_be_compared_is_told_in_one_line_with_the_file(recordings, content, rate_hz, told):
    other = recordings[0].with_name("other.wav")
    if content is None:
        other.write_text("no sound")
    else:
        soundfile.write(other, content, rate_hz)
    with pytest.raises(InputError, match=told) as error:
        compare(recordings[0], other)
    assert "\n" not in str(error.value)
    assert error.value.exit_status == 2


def test_a_missing_file_and_an_order_of_nothing_are_input_errors(recordings):
    with pytest.raises(InputError, match=r"missing.wav: no such file"):
        compare(recordings[0], recordings[0].with_name("missing.wav"))
    with pytest.raises(InputError, match="--order 0"):
        compare(*recordings, order=0)
    with pytest.raises(InputError, match="order 90"):
        compare(*recordings, kind="log-mel", order=90)


def test_the_verbs_module_imports_nothing_heavy():
    program = (
        "import sys, chorale.experiments.fedtts.mcd_command as m; m.mcd_command()\n"
        "sys.exit(bool({'torch', 'numpy', 'scipy', 'soundfile', 'pyworld'} & set(sys.modules)))\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
