"""Mel-cepstral distortion. Figures of other toolkits do not compare: order, warping and alignment differ."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chorale.core.errors import InputError
from chorale.experiments.fedtts.metrics.cepstra import all_pass_constant, log_mel_cepstra, mel_cepstra
from chorale.experiments.fedtts.metrics.settings import ORDER
from chorale.experiments.fedtts.metrics.warping import WarpingPath, warp
from chorale.media.audio.pitch import Analysis

Floats = NDArray[np.float64]

_DB = 10.0 / math.log(10.0) * math.sqrt(2.0)


@dataclass(frozen=True)
class McdSettings:
    """What a distortion is measured with; stated wherever one is shown.

    Attributes:
        features: ``world``: envelopes of WORLD's CheapTrick; ``log-mel``: the log mel spectrogram itself.
        order: Highest cepstral coefficient; c_0, the level, is left out.
        frame_ms: Distance between frames, milliseconds.
        alpha: All-pass constant of ``world``; None for ``log-mel``, whose bins are on the mel scale.
        alignment: How frames are paired: exact DTW over the same coefficients, steps (1,1), (1,0), (0,1).
    """

    features: str
    order: int
    frame_ms: float
    alpha: float | None
    alignment: str = "dtw"

    def to_json(self) -> dict[str, Any]:
        """Return the settings as a JSON value."""
        return asdict(self)


@dataclass(frozen=True)
class Distortion:
    """A distortion and how it came about.

    Attributes:
        db: Mel-cepstral distortion, dB: the mean over the path.
        db_per_frame: The sum over the path divided by the FIRST recording's frames, dB: what is stuttered, drawn out
            or left unsaid adds to it, where the mean over the path dilutes it. Our choice: judges intelligibility
            where no recogniser has the language.
        path: The pairs of frames.
        settings: What it was measured with.
    """

    db: float
    db_per_frame: float
    path: WarpingPath
    settings: McdSettings


def distortion(reference: Floats, other: Floats, settings: McdSettings) -> Distortion:
    """Return the mel-cepstral distortion of two sequences of mel-cepstra along their DTW path.

    ``10 / ln 10 sqrt(2 sum over d = 1..order of (c_d - c'_d)^2)``, averaged over the path (Kubichek 1993, "Mel-cepstral
    distance measure for objective speech quality assessment"; aligned as is usual for synthesis).

    Args:
        reference: ``(frames, order + 1)``, c_0 first.
        other: ``(frames, order + 1)``.
        settings: What the cepstra were made with.

    Raises:
        InputError: A sequence is empty or holds values that are not finite.
    """
    path = warp(reference[:, 1:], other[:, 1:])
    total = _DB * float(path.distances.sum())
    return Distortion(total / len(path.distances), total / len(reference), path, settings)


def world_distortion(reference: Analysis, other: Analysis, order: int = ORDER) -> Distortion:
    """Return the distortion of two recordings' spectral envelopes.

    Args:
        reference: WORLD's analysis of the recording.
        other: That of what is compared with it.
        order: Highest coefficient.

    Raises:
        InputError: The analyses are of different sample rates or frames.
    """
    if (reference.sample_rate_hz, reference.frame_ms) != (other.sample_rate_hz, other.frame_ms):
        raise InputError(
            f"recordings at {reference.sample_rate_hz} Hz and {other.sample_rate_hz} Hz do not compare",
            "resample one of them",
        )
    alpha = all_pass_constant(reference.sample_rate_hz)
    cepstra = [mel_cepstra(analysis.envelope, order, alpha) for analysis in (reference, other)]
    return distortion(cepstra[0], cepstra[1], McdSettings("world", order, reference.frame_ms, alpha))


def log_mel_distortion(
    reference: NDArray[np.floating], other: NDArray[np.floating], frame_ms: float, order: int = ORDER
) -> Distortion:
    """Return the distortion of two log mel spectrograms: no vocoder and no analysis comes in between.

    Args:
        reference: Natural logarithm of magnitudes, ``(frames, n_mels)``, not normalised.
        other: ``(frames, n_mels)``.
        frame_ms: Distance between frames, milliseconds.
        order: Highest coefficient, below n_mels.

    Raises:
        InputError: The order is too high, or the numbers of bins differ.
    """
    if reference.shape[1] != other.shape[1]:
        raise InputError(f"spectrograms of {reference.shape[1]} and {other.shape[1]} mel bins do not compare")
    if not 1 <= order < reference.shape[1]:
        raise InputError(f"order {order}: at least 1 and below the number of mel bins, {reference.shape[1]}")
    settings = McdSettings("log-mel", order, frame_ms, None)
    return distortion(log_mel_cepstra(reference, order), log_mel_cepstra(other, order), settings)
