"""By how much sound and lips are apart, from how wide the mouth is open and how loud it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chorale.data.faces.config import FRAMES_PER_S, SAMPLES_PER_FRAME
from chorale.media.faces.lips import lip_aperture

Floats = NDArray[np.float64]

_REACH = FRAMES_PER_S // 2
"""Frames to either side that are tried: 0.5 s."""
_TREND = 2 * FRAMES_PER_S + 1
"""Frames over whose mean a slow drift is taken out: a head that nods changes the aperture, not the sound."""
_QUIETEST_DB = 40.0
"""What is so much below a clip's loudest frame counts as silence: noise between words would tell of nothing."""
_CLEAR_CORRELATION = 0.3
_CLEAR_DEVIATIONS = 3.0
_LEAST_NULL = 25  # Lags outside the reach, by which a chance correlation is known.


class Offset(NamedTuple):
    """An estimate, and how much it is worth.

    Attributes:
        offset_s: By how much the sound comes after the lips; negative where it comes before.
        correlation: At that lag.
        clear: Whether the correlation stands out; otherwise the estimate says nothing.
        curve: ``(2 * 12 + 1,)``: the correlation at each lag in frames, from sound early to sound late.
    """

    offset_s: float
    correlation: float
    clear: bool
    curve: tuple[float, ...]


def speech_level(waveform: NDArray[np.floating]) -> Floats:
    """Return the level of the sound in each frame in decibels, 40 dB below the loudest at least, ``(frames,)``."""
    blocks = np.asarray(waveform, np.float64).reshape(-1, SAMPLES_PER_FRAME)
    level = 10 * np.log10(np.square(blocks).mean(axis=1) + 1e-10)
    return np.asarray(np.maximum(level, level.max() - _QUIETEST_DB))


def estimate_offset(landmarks: NDArray[np.floating], waveform: NDArray[np.floating]) -> Offset:
    """Estimate by how much the sound comes after the lips, within half a second to either side.

    Aperture and level, each without its mean over 2 s, are correlated at every lag; so are their changes from frame to
    frame, and the mean of both correlations counts: levels tell the syllables, changes tell their edges. The peak is
    refined by a parabola. It is clear if it is at least 0.3, lies three standard deviations over the correlations at
    lags beyond the half second (where there can be chance only), is not at the end of the range, and there are at
    least 25 such lags: clips under 2 s never give a clear one. Our choice, after the coherence of mouth and sound in
    Chandrasekaran et al. 2009 (doi 10.1371/journal.pcbi.1000436).

    Args:
        landmarks: ``(frames, 68, 2)``.
        waveform: ``(640 * frames,)`` at 16 kHz.
    """
    lips, level = _flattened(lip_aperture(landmarks)), _flattened(speech_level(waveform))
    frames = len(lips)
    lags = np.arange(frames)
    # Around a circle, so that each lag compares as many frames.
    both = 0.5 * (
        _circular(lips, level) + _circular(np.diff(lips, prepend=lips[:1]), np.diff(level, prepend=level[:1]))
    )
    signed = (lags + frames // 2) % frames - frames // 2
    reach = min(_REACH, (frames - 1) // 2)
    curve = np.array([both[lag % frames] for lag in range(-reach, reach + 1)])
    peak = int(np.argmax(curve))
    chance = both[np.abs(signed) > _REACH]
    clear = (
        len(chance) >= _LEAST_NULL
        and 0 < peak < len(curve) - 1
        and curve[peak] >= max(_CLEAR_CORRELATION, chance.mean() + _CLEAR_DEVIATIONS * chance.std())
    )
    lag = peak - reach + _vertex(curve, peak)
    return Offset(lag / FRAMES_PER_S, float(curve[peak]), bool(clear), tuple(float(one) for one in curve))


def pooled_offset(offsets: Sequence[Offset]) -> tuple[float, float] | None:
    """Return offset and correlation of the mean curve of many clips, which is worth more than any one of them.

    None where there are no clips of at least a second.
    """
    curves = [offset.curve for offset in offsets if len(offset.curve) == 2 * _REACH + 1]
    if not curves:
        return None
    curve = np.mean(curves, axis=0)
    peak = int(np.argmax(curve))
    return (peak - _REACH + _vertex(curve, peak)) / FRAMES_PER_S, float(curve[peak])


def _flattened(values: Floats) -> Floats:
    """Take a running mean out."""
    ones = np.ones(min(_TREND, 2 * ((len(values) - 1) // 2) + 1))
    weight = np.convolve(np.ones(len(values)), ones, mode="same")
    return values - np.convolve(values, ones, mode="same") / weight


def _circular(lips: Floats, level: Floats) -> Floats:
    """Return the correlation of the lips with the level ``lag`` frames later, for every lag around the circle."""
    lips, level = lips - lips.mean(), level - level.mean()
    size = float(np.linalg.norm(lips) * np.linalg.norm(level))
    if size < 1e-9:
        return np.zeros(len(lips))
    return np.asarray(np.fft.irfft(np.fft.rfft(lips).conj() * np.fft.rfft(level), len(lips))) / size


def _vertex(curve: Floats, peak: int) -> float:
    """Return where between its neighbours the parabola through a peak has its top."""
    if not 0 < peak < len(curve) - 1:
        return 0.0
    left, middle, right = curve[peak - 1 : peak + 2]
    bend = left - 2 * middle + right
    return float(0.5 * (left - right) / bend) if bend < 0 else 0.0
