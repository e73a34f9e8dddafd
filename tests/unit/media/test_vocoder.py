from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from chorale.core.errors import InputError
from chorale.media.audio.config import MelConfig
from chorale.media.audio.mel import log_mel, mel_filters
from chorale.media.audio.vocoder import griffin_lim, load_vocoder, mel_to_magnitude
from chorale.media.audio.write import write_wav

pytestmark = pytest.mark.unit
CONFIG = MelConfig()
RATE = CONFIG.sample_rate_hz


@pytest.fixture(scope="module")
def voice() -> torch.Tensor:
    """A buzz whose pitch and colour move, over a little noise."""
    time_s = np.arange(RATE) / RATE
    phase = 2 * np.pi * np.cumsum(120 + 20 * np.sin(2 * np.pi * 2 * time_s)) / RATE
    centre = 8 + 5 * np.sin(2 * np.pi * 3 * time_s)
    partials = [np.sin(k * phase) * np.exp(-((k - centre) ** 2) / 30) for k in range(1, 50)]
    noise = 0.003 * np.random.default_rng(0).normal(size=RATE)
    return torch.from_numpy((0.05 * np.sum(partials, axis=0) + noise).astype(np.float32))


def test_magnitudes_have_the_mel_that_they_were_made_of(voice):
    mel = log_mel(voice, CONFIG)
    magnitude = mel_to_magnitude(mel, CONFIG)
    assert magnitude.shape == (len(mel), 513) and bool((magnitude >= 0).all())
    again = (magnitude @ mel_filters(CONFIG)).clamp(min=CONFIG.floor).log()
    assert float((again - mel).abs().mean()) < 0.01


def test_nothing_sounds_above_the_highest_filter(voice):
    magnitude = mel_to_magnitude(log_mel(voice, CONFIG), CONFIG)
    assert float(magnitude[:, 372 + 1 :].max()) == 0.0  # 8 kHz is bin 371.5.


def test_the_mel_of_the_vocoded_mel_is_the_mel_and_stands_at_the_same_time(voice):
    mel = log_mel(voice, CONFIG)
    waveform = griffin_lim(mel, CONFIG, 40)
    assert waveform.shape == (len(mel) * CONFIG.hop,)
    again = log_mel(waveform, CONFIG)
    inner = slice(3, -3)
    error = float((again[inner] - mel[inner]).abs().mean())
    assert error < 0.15
    late = float((again[inner] - mel[2:-4]).abs().mean())
    assert late > 1.5 * error


def test_the_same_seed_gives_the_same_samples_and_leaves_other_draws_alone(voice):
    mel = log_mel(voice[: RATE // 4], CONFIG)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = griffin_lim(mel, CONFIG, 3, seed=1)
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(first, griffin_lim(mel, CONFIG, 3, seed=1))
    assert not torch.equal(first, griffin_lim(mel, CONFIG, 3, seed=2))


def test_a_vocoder_of_the_users_own_is_found_by_its_path_and_called_with_mel_and_rate(tmp_path: Path, monkeypatch):
    (tmp_path / "own_vocoder.py").write_text(
        "import numpy\n"
        "def speak(mel, rate):\n    return numpy.full(mel.shape[0] * 4, rate / 44100, dtype='float32')\n"
        "def broken(mel, rate):\n    return mel\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    waveform = load_vocoder("own_vocoder:speak")(torch.zeros(5, 80), RATE)
    assert torch.equal(waveform, torch.full((20,), 0.5))
    with pytest.raises(InputError, match=r"own_vocoder:broken: returned no waveform \(shape \(5, 80\)\)"):
        load_vocoder("own_vocoder:broken")(torch.zeros(5, 80), RATE)


@pytest.mark.parametrize("path", ["no_such_module:speak", "math:speak", "math", ""])
def test_a_vocoder_that_is_not_there_is_told_in_one_line(path):
    with pytest.raises(InputError, match="write module:function"):
        load_vocoder(path)


def test_a_wav_file_holds_the_samples_and_is_never_louder_than_full_scale(tmp_path: Path, voice):
    write_wav(tmp_path / "new" / "a.wav", voice, RATE)
    samples, rate = soundfile.read(tmp_path / "new/a.wav", dtype="float32")
    assert rate == RATE
    np.testing.assert_allclose(samples, voice.numpy(), atol=1 / 32768)
    write_wav(tmp_path / "b.wav", 100 * voice, RATE)
    samples, _ = soundfile.read(tmp_path / "b.wav", dtype="float32")
    assert 0.99 < np.abs(samples).max() <= 1.0
    np.testing.assert_allclose(samples, (voice / voice.abs().max()).numpy(), atol=1e-4)
