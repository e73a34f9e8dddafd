import numpy as np
import pytest
import scipy.fft
import torch

from chorale.core.errors import InputError
from chorale.media.audio.cmn import sliding_cmn
from chorale.media.audio.config import FeatureConfig, VadConfig
from chorale.media.audio.features import compute_features, raw_features
from chorale.media.audio.vad import energy_vad

pytestmark = pytest.mark.unit
RATE = 16000


def noise(seconds: float, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(round(seconds * RATE), generator=generator)


def frames_of(samples: np.ndarray) -> np.ndarray:
    """Kaldi's frames of 400 samples every 160, centred, reflected at the edges."""
    count = (len(samples) + 80) // 160
    padded = np.concatenate([samples[:400][::-1], samples, samples[::-1]])
    return np.stack([padded[400 - 120 + 160 * t :][:400] for t in range(count)])


def reference(samples: np.ndarray, n_mels: int) -> tuple[np.ndarray, np.ndarray]:
    """Log mel energies and log energy after Kaldi's documentation, in float64 numpy."""
    frames = frames_of(samples * 32768.0)
    frames = frames - frames.mean(axis=1, keepdims=True)
    energy = np.log((frames**2).sum(axis=1))
    shifted = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 399)) ** 0.85
    power = np.abs(np.fft.rfft((frames - 0.97 * shifted) * window, 512)) ** 2

    def mel(hz):
        return 1127 * np.log(1 + hz / 700)

    edges = np.linspace(mel(20), mel(7600), n_mels + 2)
    bins = mel(np.arange(256) * RATE / 512)
    up = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    down = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    filters = np.maximum(0, np.minimum(up, down))
    return np.log(power[:, :256] @ filters.T), energy


def test_log_mel_energies_equal_an_independent_implementation():
    waveform = noise(0.5)
    features, energy = raw_features(waveform, FeatureConfig(kind="log-mel"))
    expected, expected_energy = reference(waveform.double().numpy(), 80)
    assert features.shape == (50, 80)
    np.testing.assert_allclose(features.numpy(), expected, atol=2e-3)
    np.testing.assert_allclose(energy.numpy(), expected_energy, atol=1e-3)


def test_mfcc_equal_the_liftered_cosine_transform_of_an_independent_implementation():
    waveform = noise(0.5, seed=1)
    features, _ = raw_features(waveform, FeatureConfig(kind="mfcc"))
    log_mel, energy = reference(waveform.double().numpy(), 30)
    lifter = 1 + 11 * np.sin(np.pi * np.arange(30) / 22)
    expected = scipy.fft.dct(log_mel, type=2, norm="ortho", axis=1) * lifter
    expected[:, 0] = energy
    np.testing.assert_allclose(features.numpy(), expected, atol=2e-2)


@pytest.mark.parametrize("frames", [1, 7, 299, 300, 301, 700])
def test_sliding_mean_normalisation_equals_kaldis_loop(frames: int):
    features = torch.randn(frames, 3, generator=torch.Generator().manual_seed(frames)) + 5
    window = 300
    expected = torch.empty_like(features)
    for t in range(frames):
        start, end = t - window // 2, t - window // 2 + window
        if start < 0:
            start, end = 0, end - start
        if end > frames:
            start, end = max(start - (end - frames), 0), frames
        expected[t] = features[t] - features[start:end].mean(dim=0)
    torch.testing.assert_close(sliding_cmn(features, window), expected, atol=1e-5, rtol=0)


def test_sliding_mean_normalisation_of_an_odd_window_by_hand():
    features = torch.tensor([[0.0], [3.0], [6.0], [0.0]])
    # Means of [0,3,6], [0,3,6], [3,6,0], [3,6,0].
    assert sliding_cmn(features, 3).flatten().tolist() == [-3.0, 0.0, 3.0, -3.0]


def test_the_detector_keeps_the_tone_and_drops_the_silence():
    tone = 0.3 * torch.sin(2 * torch.pi * 300 * torch.arange(RATE) / RATE)
    waveform = torch.cat([torch.zeros(RATE), tone, torch.zeros(RATE)]) + 1e-4 * noise(3)
    config = FeatureConfig()
    _, energy = raw_features(waveform, config)
    speech = energy_vad(energy, VadConfig())
    assert speech[105:195].all()
    assert not speech[:95].any()
    assert not speech[205:].any()
    assert compute_features(waveform, config).shape[0] == int(speech.sum())


def test_the_detector_votes_by_hand():
    # Mean 4, threshold 1 + 0.5 x 4 = 3: frames 2 and 5 lie above.
    energy = torch.tensor([2.0, 2.0, 10.0, 2.0, 2.0, 10.0, 2.0, 2.0])
    config = VadConfig(energy_threshold=1.0, energy_mean_scale=0.5, frames_context=1, proportion_threshold=0.4)
    assert energy_vad(energy, config).int().tolist() == [0, 0, 0, 0, 0, 0, 0, 0]
    config = config.model_copy(update={"proportion_threshold": 0.3})
    assert energy_vad(energy, config).int().tolist() == [0, 1, 1, 1, 1, 1, 1, 0]


def test_the_same_recording_gives_the_same_features_and_their_mean_is_gone():
    config = FeatureConfig(kind="log-mel", vad=None)
    features = compute_features(noise(1), config)
    assert torch.equal(features, compute_features(noise(1), config))
    assert features.mean(dim=0).abs().max() < 1e-4


def test_too_short_and_silent_recordings_are_refused():
    with pytest.raises(InputError, match="shorter than one window"):
        compute_features(noise(0.01), FeatureConfig())
    with pytest.raises(InputError, match="no speech"):
        compute_features(torch.zeros(RATE), FeatureConfig())


def test_equal_feature_configs_share_an_identity_and_others_do_not():
    assert FeatureConfig(kind="log-mel").dim == 80
    assert FeatureConfig().dim == 30
    assert FeatureConfig(kind="log-mel").identity() == FeatureConfig(kind="log-mel", n_mels=80).identity()
    assert FeatureConfig().identity() != FeatureConfig(hop_ms=12.5).identity()
    with pytest.raises(ValueError, match="half of sample_rate_hz"):
        FeatureConfig(sample_rate_hz=8000)
