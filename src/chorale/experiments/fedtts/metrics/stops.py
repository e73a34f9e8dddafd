"""Whether speech ends where it should."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class StopAccuracy(NamedTuple):
    """Stop decisions under teacher forcing.

    Attributes:
        steps: Share of decoder steps whose decision is right; high for a network that never stops.
        utterances: Share of utterances whose first stop comes at the last step, or as near as allowed.
    """

    steps: float
    utterances: float


def stop_accuracy(
    probabilities: NDArray[np.floating], lengths: NDArray[np.integer], threshold: float = 0.5, tolerance: int = 0
) -> StopAccuracy:
    """Return how often stop tokens are right. Our choice of measures.

    Args:
        probabilities: Of the stop token, ``(batch, steps)``; what lies behind an utterance's end is not looked at.
        lengths: Decoder steps of each utterance, ``(batch,)``, at least 1; the last one should stop.
        threshold: Probability from which on a step stops.
        tolerance: Steps by which the first stop may come early.
    """
    stops = probabilities >= threshold
    position = np.arange(probabilities.shape[1])
    inside = position < lengths[:, None]
    wanted = position == lengths[:, None] - 1
    right = (stops == wanted) & inside
    first = np.where((stops & inside).any(axis=1), (stops & inside).argmax(axis=1), -1)
    late_enough = (first >= lengths - 1 - tolerance) & (first >= 0)
    return StopAccuracy(float(right.sum() / inside.sum()), float(late_enough.mean()))


def duration_ratio(spoken_frames: int, recorded_frames: int) -> float:
    """Return the length of what was spoken divided by the recording's; 1 is right."""
    return spoken_frames / recorded_frames
