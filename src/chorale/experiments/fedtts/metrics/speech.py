"""All that is measured of one spoken utterance beside its recording."""

from __future__ import annotations

import torch
from pydantic import JsonValue

from chorale.core.errors import InputError
from chorale.experiments.fedtts.config.speech import MelConfig
from chorale.experiments.fedtts.metrics.attention import reading
from chorale.experiments.fedtts.metrics.f0 import f0_error
from chorale.experiments.fedtts.metrics.mcd import log_mel_distortion, world_distortion
from chorale.experiments.fedtts.metrics.settings import WORLD_FRAME_MS
from chorale.experiments.fedtts.metrics.stops import duration_ratio
from chorale.experiments.fedtts.speaking import Utterance
from chorale.media.audio.pitch import analyse

_MS = 1000.0


def measure(reference: Utterance, other: Utterance, config: MelConfig) -> dict[str, JsonValue]:
    """Return the distances of an utterance from its recording, and how its attention read.

    Args:
        reference: The recording.
        other: What was spoken.
        config: What made both mels.
    """
    frame_ms = _MS * config.hop / config.sample_rate_hz
    mel = log_mel_distortion(reference.mel, other.mel, frame_ms)
    measured: dict[str, JsonValue] = {
        "mcd_mel_db": mel.db,
        "mcd_mel_db_per_frame": mel.db_per_frame,
        "duration_ratio": duration_ratio(len(other.mel), len(reference.mel)),
        "stopped": other.stopped,
        **_by_world(reference.waveform, other.waveform, config.sample_rate_hz),
    }
    if other.attention is not None:
        read = reading(other.attention)
        measured |= {"focus_rate": read.focus, "forward": read.forward, "repeats": read.repeats}
        measured |= {"skips": read.skips, "span": read.span}
    return measured


def _by_world(reference: torch.Tensor, other: torch.Tensor, sample_rate_hz: int) -> dict[str, JsonValue]:
    """Return what WORLD's analysis tells; nothing where it is not installed, or hears nothing to analyse."""
    try:
        one, two = (analyse(waveform.numpy(), sample_rate_hz, WORLD_FRAME_MS) for waveform in (reference, other))
    except InputError:
        return {"mcd_world_db": None, "log_f0_rmse": None, "voicing_error": None}
    world = world_distortion(one, two)
    pitch = f0_error(one.f0_hz, two.f0_hz, world.path)
    return {
        "mcd_world_db": world.db,
        "log_f0_rmse": pitch.log_f0_rmse,
        "voicing_error": pitch.voicing_error,
    }
