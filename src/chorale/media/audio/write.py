"""Sound out: a wav file that any player opens."""

from __future__ import annotations

from pathlib import Path

import torch

from chorale.core.files import atomic_path


def write_wav(path: Path, waveform: torch.Tensor, sample_rate_hz: int) -> None:
    """Write a waveform as 16-bit PCM, whole or not at all; one louder than full scale is scaled down to it.

    Args:
        path: Where; folders are made.
        waveform: ``(samples,)``.
        sample_rate_hz: Its rate.

    Raises:
        InputError: The folder cannot be written.
    """
    import soundfile

    samples = waveform.detach().cpu().float()
    loudest = float(samples.abs().max()) if samples.numel() else 0.0
    if loudest > 1:
        samples = samples / loudest
    with atomic_path(path) as temporary:
        soundfile.write(temporary, samples.numpy(), sample_rate_hz, subtype="PCM_16", format="WAV")
