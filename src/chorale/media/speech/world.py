"""A recording spoken otherwise, by the vocoder WORLD (Morise et al. 2016)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chorale.core.errors import MissingExtraError

_FRAME_MS = 5.0
_FLOOR_HZ, _CEILING_HZ = 60.0, 400.0


def spoken_otherwise(
    samples: NDArray[np.float32], rate_hz: int, pitch: float, span: float, rate: float
) -> NDArray[np.float32]:
    """Return the same words, higher, livelier or quicker; the voice's timbre stays.

    A voiced frame's frequency becomes ``pitch * mean * (f0 / mean) ** span``, mean being the geometric one; speed is
    changed by the distance of frames in the synthesis. Factors of 1 still pass through analysis and synthesis, so that
    all clips sound alike in that.

    Args:
        samples: ``(samples,)``.
        rate_hz: Of the samples.
        pitch: Factor of the fundamental frequency.
        span: Factor of how far it moves about its mean, in semitones.
        rate: Factor of speed.

    Returns:
        ``(samples / rate,)``, to within a frame of 5 ms.

    Raises:
        MissingExtraError: pyworld is not installed.
    """
    try:
        import pyworld
    except ImportError as error:
        raise MissingExtraError("pyworld", "speech") from error
    wave = samples.astype(np.float64)
    f0_hz, times_s = pyworld.harvest(wave, rate_hz, f0_floor=_FLOOR_HZ, f0_ceil=_CEILING_HZ, frame_period=_FRAME_MS)
    envelope = pyworld.cheaptrick(wave, f0_hz, times_s, rate_hz)
    noise = pyworld.d4c(wave, f0_hz, times_s, rate_hz)
    voiced = f0_hz > 0
    if voiced.any():
        mean_hz = np.exp(np.log(f0_hz[voiced]).mean())
        f0_hz[voiced] = pitch * mean_hz * (f0_hz[voiced] / mean_hz) ** span
    said = pyworld.synthesize(f0_hz, envelope, noise, rate_hz, _FRAME_MS / rate)
    return np.asarray(said, np.float32)
