"""Pitch and voicing of synthesised speech against the recording's."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chorale.experiments.fedtts.metrics.warping import WarpingPath

Floats = NDArray[np.float64]


class F0Error(NamedTuple):
    """Errors along a path of paired frames.

    Attributes:
        log_f0_rmse: RMS difference of the natural logarithm of F0 where both are voiced; None if they nowhere are.
        voicing_error: Share of pairs of which one is voiced and the other not.
        voiced_pairs: Pairs that are voiced in both.
    """

    log_f0_rmse: float | None
    voicing_error: float
    voiced_pairs: int


def f0_error(reference_hz: Floats, other_hz: Floats, path: WarpingPath) -> F0Error:
    """Return the error of log F0 and of the voicing decision.

    ``sqrt(mean (ln f - ln f')^2)`` over pairs voiced in both, as in ESPnet's evaluation; 0.058 is a semitone.

    Args:
        reference_hz: F0 of the recording, 0 where unvoiced, ``(frames,)``.
        other_hz: F0 of what is compared, ``(frames,)``.
        path: Their pairing, such as a distortion's.
    """
    first, second = reference_hz[path.first], other_hz[path.second]
    voiced = (first > 0) & (second > 0)
    count = int(voiced.sum())
    error = float(((first > 0) != (second > 0)).mean())
    if count == 0:
        return F0Error(None, error, 0)
    difference = np.log(first[voiced]) - np.log(second[voiced])
    return F0Error(float(np.sqrt(np.square(difference).mean())), error, count)
