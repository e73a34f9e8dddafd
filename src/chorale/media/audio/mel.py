"""The log mel spectrogram that speech is synthesised from, and where in a recording speech begins and ends."""

from __future__ import annotations

import functools
from typing import Any

import torch

from chorale.core.errors import InputError
from chorale.media.audio.backend import import_torchaudio
from chorale.media.audio.config import MelConfig

_MARGIN_S = 0.05
"""Kept before the first and after the last frame of speech: plosives begin below any threshold. Our choice."""


def log_mel(waveform: torch.Tensor, config: MelConfig) -> torch.Tensor:
    """Return the log mel spectrogram in the convention of HiFi-GAN's LJSpeech recipe.

    Magnitudes (power 1) of a periodic Hann window's transform, mel filters of Slaney's scale and norm as in librosa,
    natural logarithm of max(mel, floor). The waveform is reflected by (n_fft - hop) / 2 samples at both ends and frames
    are not centred beyond that: frame k stands for the samples from k x hop to (k + 1) x hop, its window's centre in
    the middle of them. HiFi-GAN adds 1e-9 to the squared magnitude, which lies below the floor and is left out.

    Args:
        waveform: Samples in [-1, 1] at the config's rate, ``(samples,)``.
        config: What to compute.

    Returns:
        float32, ``(frames, n_mels)``; frames = samples // hop.

    Raises:
        InputError: The waveform is shorter than one window.
    """
    if waveform.shape[0] < config.n_fft:
        raise InputError(
            f"a recording of {waveform.shape[0]} samples is shorter than one window of {config.n_fft}", "leave it out"
        )
    left = (config.n_fft - config.hop) // 2
    right = config.n_fft - config.hop - left
    padded = torch.nn.functional.pad(waveform.float()[None, None], (left, right), mode="reflect")[0, 0]
    mel: torch.Tensor = _transform(config).to(padded.device)(padded)
    return mel.clamp(min=config.floor).log().T.contiguous()


def speech_span(waveform: torch.Tensor, config: MelConfig) -> tuple[int, int]:
    """Return the first sample of speech and the one after the last.

    As ``librosa.effects.trim``: frames of ``n_fft`` samples every ``hop`` whose root mean square lies at most
    ``trim_db`` below the loudest frame's hold speech; the span reaches from the first of them to the last, and 50 ms
    beyond (our choice). Without ``trim_db`` it is the whole waveform.

    Args:
        waveform: ``(samples,)``.
        config: Frames and threshold.

    Raises:
        InputError: The waveform is silent throughout.
    """
    samples = waveform.shape[0]
    if config.trim_db is None:
        return 0, samples
    half = config.n_fft // 2
    frames = torch.nn.functional.pad(waveform.double(), (half, half)).unfold(0, config.n_fft, config.hop)
    power = frames.square().mean(dim=1)
    loudest = float(power.max())
    if loudest == 0:
        raise InputError("a recording is silent throughout", "leave it out")
    speech = torch.nonzero(power >= loudest * 10 ** (-config.trim_db / 10)).flatten()
    margin = round(_MARGIN_S * config.sample_rate_hz)
    first = max(int(speech[0]) * config.hop - margin, 0)
    last = min((int(speech[-1]) + 1) * config.hop + margin, samples)
    return first, last


@functools.cache
def mel_filters(config: MelConfig) -> torch.Tensor:
    """Return the mel filters, ``(n_fft // 2 + 1, n_mels)``."""
    filters: torch.Tensor = import_torchaudio("torchaudio.functional").melscale_fbanks(
        config.n_fft // 2 + 1,
        config.f_min_hz,
        config.f_max_hz,
        config.n_mels,
        config.sample_rate_hz,
        norm="slaney",
        mel_scale="slaney",
    )
    return filters


@functools.cache
def _transform(config: MelConfig) -> Any:
    return import_torchaudio("torchaudio.transforms").MelSpectrogram(
        sample_rate=config.sample_rate_hz,
        n_fft=config.n_fft,
        hop_length=config.hop,
        f_min=config.f_min_hz,
        f_max=config.f_max_hz,
        n_mels=config.n_mels,
        power=1.0,
        center=False,
        norm="slaney",
        mel_scale="slaney",
    )
