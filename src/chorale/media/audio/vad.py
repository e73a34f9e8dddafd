"""Energy voice activity detection."""

from __future__ import annotations

import torch

from chorale.media.audio.config import VadConfig


def energy_vad(log_energy: torch.Tensor, config: VadConfig) -> torch.Tensor:
    """Say which frames hold speech.

    As Kaldi's ``compute-vad``: with threshold = ``energy_threshold`` + ``energy_mean_scale`` x mean(log energy), frame
    t is speech if at least ``proportion_threshold`` of the frames within ``frames_context`` of it lie above.

    Args:
        log_energy: Natural log of each frame's energy, samples scaled to 16 bits; ``(frames,)``.
        config: The thresholds.

    Returns:
        Booleans, ``(frames,)``.
    """
    threshold = config.energy_threshold + config.energy_mean_scale * log_energy.double().mean()
    above = (log_energy > threshold).double()
    width = 2 * config.frames_context + 1
    kernel = torch.ones(1, 1, width, dtype=torch.float64)
    votes = torch.nn.functional.conv1d(above[None, None], kernel, padding=config.frames_context)[0, 0]
    voters = torch.nn.functional.conv1d(torch.ones_like(above)[None, None], kernel, padding=config.frames_context)[0, 0]
    return votes >= voters * config.proportion_threshold
