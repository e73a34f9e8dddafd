"""Pitch and spectral envelopes by WORLD (Morise et al. 2016)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chorale.core.errors import InputError, MissingExtraError

Floats = NDArray[np.float64]

F0_FLOOR_HZ = 71.0
F0_CEIL_HZ = 800.0
"""WORLD's own range."""
_SHORTEST_S = 0.05


@dataclass(frozen=True)
class Analysis:
    """WORLD's analysis of a recording; frame t is centred on t x frame_ms.

    Attributes:
        sample_rate_hz: Of the recording.
        frame_ms: Distance between frames, milliseconds.
        f0_hz: 0 where unvoiced, ``(frames,)``.
        envelope: Power spectral envelope, ``(frames, fft_size / 2 + 1)``, above 0.
    """

    sample_rate_hz: int
    frame_ms: float
    f0_hz: Floats
    envelope: Floats


def analyse(samples: NDArray[np.floating], sample_rate_hz: int, frame_ms: float = 5.0) -> Analysis:
    """Return F0 (Harvest) and spectral envelope (CheapTrick) of a recording.

    Args:
        samples: In [-1, 1], ``(samples,)``.
        sample_rate_hz: Their rate.
        frame_ms: Distance between frames, milliseconds; WORLD's default is 5.

    Raises:
        InputError: The recording is shorter than 50 ms, or silent throughout.
        MissingExtraError: The package pyworld is not installed.
    """
    if len(samples) < _SHORTEST_S * sample_rate_hz:
        raise InputError(f"a recording of {len(samples)} samples is too short for an analysis", "leave it out")
    if not np.any(samples):
        raise InputError("a recording is silent throughout", "leave it out")
    try:
        with warnings.catch_warnings():
            # It reads its version by a module of setuptools that is deprecated.
            warnings.simplefilter("ignore")
            import pyworld
    except ImportError as error:
        raise MissingExtraError("pyworld", "speech") from error
    wave = np.ascontiguousarray(samples, dtype=np.float64)
    f0_hz, times_s = pyworld.harvest(
        wave, sample_rate_hz, f0_floor=F0_FLOOR_HZ, f0_ceil=F0_CEIL_HZ, frame_period=frame_ms
    )
    envelope = pyworld.cheaptrick(wave, f0_hz, times_s, sample_rate_hz, f0_floor=F0_FLOOR_HZ)
    return Analysis(sample_rate_hz, frame_ms, f0_hz, envelope)
