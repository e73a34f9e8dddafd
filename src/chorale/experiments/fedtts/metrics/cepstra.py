"""Mel-cepstra of spectral envelopes and of log mel spectrograms, on one scale.

``ln |H(w)| = c_0 + sum over d >= 1 of c_d cos(d w~)``, w~ being the frequency on a mel-like scale: then
``10 / ln 10 sqrt(2 sum of squared differences)`` is the RMS difference of two spectra in dB over that scale, without
their mean (Parseval), for either kind.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MEL_CORNER_HZ = 1000.0
_ALPHA_STEP = 1e-3
_ALPHA_POINTS = 1000


@lru_cache(maxsize=8)
def all_pass_constant(sample_rate_hz: int) -> float:
    """Return the alpha whose all-pass warping comes closest to the mel scale at a sample rate.

    Least squares over [0, half the rate] between ``w + 2 atan(alpha sin w / (1 - alpha cos w))`` and
    ``mel(f) = ln(1 + f / 1000)``, both scaled to end at 1; alpha in steps of 0.001, the usual way of choosing it
    (for example 0.544 at 44.1 kHz and 0.554 at 48 kHz).
    """
    angle = np.arange(_ALPHA_POINTS) * np.pi / _ALPHA_POINTS
    mel = np.log1p(angle / np.pi * (sample_rate_hz / 2) / _MEL_CORNER_HZ)
    mel /= mel[-1]
    candidates = np.arange(0.0, 1.0, _ALPHA_STEP)[:, None]
    warped = angle + 2.0 * np.arctan(candidates * np.sin(angle) / (1.0 - candidates * np.cos(angle)))
    warped /= warped[:, -1:]
    return round(float(candidates[np.square(warped - mel).mean(axis=1).argmin(), 0]), 3)


@lru_cache(maxsize=8)
def frequency_transform(coefficients: int, order: int, alpha: float) -> Floats:
    """Return the matrix that turns cepstra into mel-cepstra, ``(coefficients, order + 1)``.

    ``z^-1 = (z~^-1 + alpha) / (1 + alpha z~^-1)``: row m holds the first coefficients of the m-th power of the right
    side as a series in ``z~^-1`` (Oppenheim and Johnson 1972; SPTK's ``freqt``).
    """
    from scipy.signal import lfilter

    rows = np.zeros((coefficients, order + 1))
    rows[0, 0] = 1.0
    for m in range(1, coefficients):
        rows[m] = lfilter([alpha, 1.0], [1.0, alpha], rows[m - 1])
    rows.setflags(write=False)
    return rows


def mel_cepstra(envelope: Floats, order: int, alpha: float) -> Floats:
    """Return the mel-cepstra of spectral envelopes, ``(frames, order + 1)``, c_0 first.

    The cepstrum of the log envelope, warped (SPTK's ``sp2mc``).

    Args:
        envelope: POWER, above 0, at evenly spaced frequencies from 0 to half the sample rate, ``(frames, bins)``.
        order: Highest coefficient.
        alpha: All-pass constant; see :func:`all_pass_constant`.
    """
    bins = envelope.shape[1]
    cepstrum = np.fft.irfft(np.log(envelope), axis=1)[:, :bins]
    # One-sided: both ends of the two-sided sequence stand alone, all others for two.
    cepstrum[:, 0] /= 2.0
    cepstrum[:, -1] /= 2.0
    warped: Floats = cepstrum @ frequency_transform(bins, order, alpha)
    return warped


def log_mel_cepstra(log_mel: NDArray[np.floating], order: int) -> Floats:
    """Return the mel-cepstra of log mel spectrograms, ``(frames, order + 1)``, c_0 first.

    ``c_d = 2 / N sum over n of mel_n cos(pi d (n + 1/2) / N)``, half of that for c_0: the DCT-II.

    Args:
        log_mel: Natural logarithm of MAGNITUDES, ``(frames, N)``, not normalised.
        order: Highest coefficient, below N.
    """
    bins = log_mel.shape[1]
    angles = np.pi * np.outer(np.arange(bins) + 0.5, np.arange(order + 1)) / bins
    cosines = 2.0 / bins * np.cos(angles)
    cosines[:, 0] /= 2.0
    cepstra: Floats = log_mel.astype(np.float64) @ cosines
    return cepstra
