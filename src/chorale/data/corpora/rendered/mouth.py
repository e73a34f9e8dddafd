"""From phones in time to what the mouth does: shapes that run into one another, lips that close where they must."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chorale.data.corpora.rendered.visemes import SHAPES, Viseme

Curves = dict[str, NDArray[np.float64]]
"""How far each action goes in each frame, ``(frames,)``."""

_REACH_S: Final = 0.035
"""Over which a phone's dominance falls to 1/e on either side: neighbours 50 to 100 ms away are seen in a mouth."""
_LIPS_MOVE_S: Final = 0.045
"""How long lips take to close, and to part."""
_OPENING: Final = ("jawOpen", "mouthFunnel", "mouthPucker", "mouthUpperUp", "mouthLowerDown")


class TimedViseme(NamedTuple):
    """A viseme and when it is spoken."""

    viseme: Viseme
    start_s: float
    end_s: float


def mouth_curves(spoken: Sequence[TimedViseme], frames: int, frames_per_s: float, openness: float = 1.0) -> Curves:
    """Return what the mouth does.

    Each action is the mean of the phones' targets, weighted by dominance ``strength * exp(-distance / reach)``, where
    distance is that of the frame's middle to the phone's nearest moment (Cohen and Massaro 1993, with the reach as our
    choice). Then lips are closed for as long as a phone of the class ``closed`` lasts: a mean never closes them.

    Args:
        spoken: In order of time.
        frames: How many.
        frames_per_s: Their rate.
        openness: Factor of all opening actions: some mumble, others declaim.
    """
    middles_s: NDArray[np.float64] = (np.arange(frames, dtype=np.float64) + 0.5) / frames_per_s
    names = sorted({name for shape in SHAPES.values() for name in shape.actions})
    column = {name: index for index, name in enumerate(names)}
    targets = np.zeros((len(spoken), len(names)))
    for row, one in enumerate(spoken):
        for name, value in SHAPES[one.viseme].actions.items():
            targets[row, column[name]] = value
    starts, ends = (np.array([getattr(one, name) for one in spoken]) for name in ("start_s", "end_s"))
    strengths = np.array([SHAPES[one.viseme].strength for one in spoken])
    # A phone's target stands at its middle; its edges are shared with its neighbours.
    margin = 0.25 * (ends - starts)
    away = np.maximum(0.0, np.maximum(starts + margin - middles_s[:, None], middles_s[:, None] - ends + margin))
    weights = strengths * np.exp(-away / _REACH_S) + 1e-12
    curves = weights @ targets / weights.sum(axis=1, keepdims=True)
    closed = closure(spoken, middles_s)
    found: Curves = {}
    for name in names:
        curve = curves[:, column[name]]
        if name.startswith(_OPENING):
            curve = openness * curve * (1 - closed)
        found[name] = np.clip(curve, 0.0, 1.0)
    for name, value in SHAPES["closed"].actions.items():
        found[name] = np.maximum(found[name], value * closed)
    return found


def closure(spoken: Sequence[TimedViseme], at_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how closed the lips must be at some times, 0 to 1: 1 while m, b or p is spoken.

    Args:
        spoken: In order of time.
        at_s: ``(times,)``.
    """
    closed = np.zeros_like(at_s)
    for one in spoken:
        if one.viseme == "closed":
            away = np.maximum(0.0, np.maximum(one.start_s - at_s, at_s - one.end_s))
            closed = np.maximum(closed, np.clip(1 - away / _LIPS_MOVE_S, 0.0, 1.0))
    return closed
