"""A waveform's acoustic features: MFCC or log mel energies, mean normalised, speech frames only."""

from __future__ import annotations

import torch

from chorale.core.errors import InputError
from chorale.media.audio.backend import import_torchaudio
from chorale.media.audio.cmn import sliding_cmn
from chorale.media.audio.config import FeatureConfig
from chorale.media.audio.vad import energy_vad

_INT16_SCALE = 32768.0
"""Kaldi's thresholds and energy floor are stated for samples of 16 bits."""


def raw_features(waveform: torch.Tensor, config: FeatureConfig) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the features of every frame, and each frame's log energy.

    torchaudio's Kaldi-compatible functions, with Kaldi's defaults (pre-emphasis 0.97, Povey window, cepstral lifter
    22) but no dither: the same recording gives the same features. Frame t is centred on its hop (``snip_edges`` off).

    Args:
        waveform: Samples in [-1, 1] at the config's rate, ``(samples,)``.
        config: What to compute.

    Returns:
        Features ``(frames, dim)`` and natural log energy ``(frames,)``; frames = round(samples / hop).

    Raises:
        InputError: The waveform is shorter than one window.
    """
    window_samples = int(config.sample_rate_hz * config.window_ms / 1000)
    if waveform.shape[0] < window_samples:
        raise InputError(
            f"a recording of {waveform.shape[0]} samples is shorter than one window of {window_samples}",
            "leave it out",
        )
    kaldi = import_torchaudio("torchaudio.compliance.kaldi")
    shared = {
        "sample_frequency": float(config.sample_rate_hz),
        "frame_length": config.window_ms,
        "frame_shift": config.hop_ms,
        "num_mel_bins": config.n_mels,
        "low_freq": config.f_min_hz,
        "high_freq": config.f_max_hz,
        "dither": 0.0,
        "use_energy": True,
        "snip_edges": False,
    }
    scaled = waveform[None].float() * _INT16_SCALE
    if config.kind == "mfcc":
        cepstra: torch.Tensor = kaldi.mfcc(scaled, num_ceps=config.n_coefficients, **shared)
        return cepstra, cepstra[:, 0]
    # Here the energy stands before the mel filters, as a column of its own.
    filters: torch.Tensor = kaldi.fbank(scaled, **shared)
    return filters[:, 1:], filters[:, 0]


def compute_features(waveform: torch.Tensor, config: FeatureConfig) -> torch.Tensor:
    """Return the features of the frames that hold speech.

    The mean is taken over all frames and the speech frames are picked afterwards, as in Kaldi's VoxCeleb recipe.

    Args:
        waveform: Samples in [-1, 1] at the config's rate, ``(samples,)``.
        config: What to compute.

    Returns:
        float32, ``(frames, config.dim)``.

    Raises:
        InputError: The waveform is shorter than one window, or holds no speech.
    """
    features, log_energy = raw_features(waveform, config)
    if config.cmn_frames is not None:
        features = sliding_cmn(features, config.cmn_frames)
    if config.vad is not None:
        features = features[energy_vad(log_energy, config.vad)]
    if features.shape[0] == 0:
        raise InputError("a recording holds no speech by the energy detector", "leave it out or lower features.vad")
    return features.contiguous()
