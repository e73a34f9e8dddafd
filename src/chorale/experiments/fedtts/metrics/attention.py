"""Whether a decoder's attention reads its text from the first symbol to the last."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


class Reading(NamedTuple):
    """How one head's attention moves over the symbols.

    Attributes:
        focus: Mean over steps of the largest weight.
        forward: Share of moves between steps that neither go back nor skip.
        repeats: Share of moves that go back.
        skips: Share of moves that jump ahead by more symbols than allowed.
        span: Symbols between the first and the last that are attended most, divided by all.
    """

    focus: float
    forward: float
    repeats: float
    skips: float
    span: float

    @property
    def score(self) -> float:
        """Focus times forward times span: 1 for a sharp walk over all symbols. Our choice."""
        return self.focus * self.forward * self.span


def focus_rate(attention: Floats) -> float:
    """Return the mean over decoder steps of the largest weight: ``1/S sum over s of max over t of a_st``.

    Ren et al. 2019 ("FastSpeech"), section 3.3.

    Args:
        attention: Weights that sum to 1 over symbols, ``(steps, symbols)``, without padding.
    """
    return float(attention.max(axis=1).mean())


def reading(attention: Floats, max_skip: int = 3) -> Reading:
    """Return how a head's attention moves over the symbols.

    Args:
        attention: ``(steps, symbols)``, without padding.
        max_skip: Symbols that one step may go ahead. Our choice: a step of several frames may pass over a short one.
    """
    peaks = attention.argmax(axis=1)
    moves = np.diff(peaks)
    count = max(len(moves), 1)
    repeats = float((moves < 0).sum() / count)
    skips = float((moves > max_skip).sum() / count)
    span = float((peaks.max() - peaks.min() + 1) / attention.shape[1])
    return Reading(focus_rate(attention), 1.0 - repeats - skips, repeats, skips, span)


def best_head(attention: Floats, max_skip: int = 3) -> tuple[int, int]:
    """Return layer and head whose attention reads best.

    FastSpeech takes the head of the largest focus rate; here forward moves and span count too, or else a head that
    stares at one symbol would win. The first of equal ones.

    Args:
        attention: ``(layers, heads, steps, symbols)``, without padding.
        max_skip: As in :func:`reading`.
    """
    scores = np.array([[reading(head, max_skip).score for head in layer] for layer in attention])
    layer, head = np.unravel_index(int(scores.argmax()), scores.shape)
    return int(layer), int(head)
