"""From the times of phones to frames per symbol."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from chorale.core.errors import InputError

_TOLERANCE_S = 0.1
"""Labels may end so much behind the recording: they are rounded, and made on another copy of it."""


def frame_durations(
    ends_s: Sequence[float], start_s: float, frames: int, frame_s: float, recording_s: float
) -> NDArray[np.int64]:
    """Return how many frames each phone has, and behind them what is left for the end of the sentence.

    Frame k stands for the time from start + k x frame_s to start + (k + 1) x frame_s. A phone's last frame is the one
    whose edge lies nearest to the phone's end, so that roundings do not add up, and the sum is ``frames`` exactly.
    Phones that were trimmed away have none. Our choice.

    Args:
        ends_s: When each phone ends, from the begin of the recording; the first begins with it. Rising.
        start_s: What was trimmed off the recording's begin.
        frames: Of the trimmed recording.
        frame_s: Length of a frame.
        recording_s: Length of the whole recording.

    Returns:
        ``(phones + 1,)``.

    Raises:
        InputError: The labels reach beyond the recording: they are another's.
    """
    if ends_s[-1] > recording_s + _TOLERANCE_S:
        raise InputError(
            f"labels end at {ends_s[-1]:.2f} s, but the recording at {recording_s:.2f} s",
            "give the recording its own label file",
        )
    # Halves go up: numpy's rint would send them to even numbers, now up and now down.
    edges = np.floor((np.asarray(ends_s, dtype=np.float64) - start_s) / frame_s + 0.5).clip(0, frames)
    return np.diff(np.concatenate([[0], edges.astype(np.int64), [frames]]))
