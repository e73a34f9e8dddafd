import numpy as np
import pytest
import torch

from chorale.core.config import ConfigTree, validate
from chorale.core.errors import InputError
from chorale.media.audio.config import MelConfig
from chorale.media.audio.mel import log_mel, mel_filters, speech_span

pytestmark = pytest.mark.unit
CONFIG = MelConfig()
RATE = CONFIG.sample_rate_hz


def slaney_filters(rate: int, n_fft: int, n_mels: int, f_min: float, f_max: float) -> np.ndarray:
    """librosa's ``filters.mel(htk=False, norm="slaney")``, from its documentation: (n_mels, bins)."""

    def to_mel(hz):
        return hz / (200 / 3) if hz < 1000 else 15 + np.log(hz / 1000) / (np.log(6.4) / 27)

    def to_hz(mel):
        return mel * 200 / 3 if mel < 15 else 1000 * np.exp((mel - 15) * np.log(6.4) / 27)

    edges = np.array([to_hz(mel) for mel in np.linspace(to_mel(f_min), to_mel(f_max), n_mels + 2)])
    bins = np.arange(n_fft // 2 + 1) * rate / n_fft
    filters = np.zeros((n_mels, len(bins)))
    for m in range(n_mels):
        low, centre, high = edges[m : m + 3]
        filters[m] = np.maximum(0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))
        filters[m] *= 2 / (high - low)
    return filters


def reference(samples: np.ndarray, config: MelConfig) -> np.ndarray:
    """HiFi-GAN's mel in float64 numpy: (frames, n_mels)."""
    pad = (config.n_fft - config.hop) // 2
    padded = np.pad(samples, pad, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(config.n_fft) / config.n_fft)
    frames = [padded[k * config.hop :][: config.n_fft] * window for k in range(len(samples) // config.hop)]
    filters = slaney_filters(config.sample_rate_hz, config.n_fft, config.n_mels, config.f_min_hz, config.f_max_hz)
    return np.log(np.maximum(np.abs(np.fft.rfft(frames)) @ filters.T, config.floor))


def noise(seconds: float, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(round(seconds * RATE), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    "config", [CONFIG, MelConfig(sample_rate_hz=16000, n_fft=400, hop=160, n_mels=40, f_min_hz=50)]
)
def test_the_mel_equals_an_implementation_without_torch(config):
    waveform = noise(0.4)
    mel = log_mel(waveform, config)
    expected = reference(waveform.double().numpy(), config)
    assert mel.shape == (len(waveform) // config.hop, config.n_mels) and mel.dtype == torch.float32
    np.testing.assert_allclose(mel.numpy(), expected, atol=2e-4)


def test_the_filters_are_librosas():
    expected = slaney_filters(RATE, 1024, 80, 0, 8000).T
    np.testing.assert_allclose(mel_filters(CONFIG).numpy(), expected, atol=1e-6)


def test_silence_lies_on_the_floor():
    assert torch.equal(log_mel(torch.zeros(4096), CONFIG), torch.full((16, 80), float(np.log(np.float32(1e-5)))))


def test_a_frame_stands_for_its_own_hop_of_samples():
    waveform = torch.zeros(256 * 21)
    waveform[256 * 10 : 256 * 11] = noise(1.0)[:256]
    assert int(log_mel(waveform, CONFIG).sum(dim=1).argmax()) == 10


def test_a_recording_shorter_than_a_window_is_refused():
    with pytest.raises(InputError, match="1023 samples is shorter than one window of 1024"):
        log_mel(torch.zeros(1023), CONFIG)


def test_silence_is_trimmed_to_a_margin_of_50_ms_and_pauses_within_are_kept():
    quiet, loud = 1e-4 * noise(1.0), noise(0.5, 1)
    waveform = torch.cat([quiet, loud, quiet, loud, quiet])
    first, last = speech_span(waveform, CONFIG)
    window_s = CONFIG.n_fft / RATE
    assert 1.0 - 0.05 - window_s <= first / RATE <= 1.0 - 0.05 + window_s
    assert 3.0 + 0.05 - window_s <= last / RATE <= 3.0 + 0.05 + window_s


def test_the_threshold_counts_from_the_loudest_frame():
    waveform = torch.cat([0.03 * noise(1.0), noise(1.0, 1)])  # 30 dB below
    assert speech_span(waveform, CONFIG.model_copy(update={"trim_db": 40.0})) == (0, len(waveform))
    assert speech_span(waveform, CONFIG.model_copy(update={"trim_db": 20.0}))[0] > 0.9 * RATE
    assert speech_span(waveform, CONFIG.model_copy(update={"trim_db": None})) == (0, len(waveform))


def test_loudness_does_not_change_what_is_trimmed():
    waveform = torch.cat([1e-4 * noise(0.5), noise(0.5, 1), 1e-4 * noise(0.5)])
    assert speech_span(waveform, CONFIG) == speech_span(0.01 * waveform, CONFIG)


def test_a_silent_recording_is_refused():
    with pytest.raises(InputError, match="silent throughout; leave it out"):
        speech_span(torch.zeros(4096), CONFIG)


def test_edges_and_hops_that_cannot_be_are_refused_in_one_line():
    for values, why in (({"f_max_hz": 12000}, "f_min_hz below f_max_hz"), ({"hop": 2048}, "hop 2048 lies above n_fft")):
        with pytest.raises(InputError, match=why):
            validate(MelConfig, ConfigTree(values, {}))
