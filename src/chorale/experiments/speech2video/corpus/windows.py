"""Which windows of which clips make a batch: drawn by step, the same for any number of ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from chorale.core.errors import InputError
from chorale.core.seeds import seed_for


class Window(NamedTuple):
    """A part of a clip.

    Attributes:
        clip: Number of the clip.
        first: Step at which it begins.
    """

    clip: int
    first: int


class WindowSampler:
    """Draws windows of one length: a clip by its chance, then a begin, each as likely as any other.

    Args:
        lengths: Steps of each clip.
        steps: Of a window.
        batch: Windows of a GLOBAL batch.
        seed: Of every draw.
        name: Of what is drawn for, so that trainings with one seed draw apart.
        weights: Chances of the clips in relation to one another; in proportion to the windows that a clip has if not
            given, so that every moment of the corpus is as likely.

    Raises:
        InputError: No clip is as long as a window.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        steps: int,
        batch: int,
        seed: int,
        name: str,
        weights: Sequence[float] | None = None,
    ) -> None:
        self._places = np.maximum(0, np.asarray(lengths) - steps + 1)
        if not self._places.any():
            longest = max(lengths, default=0)
            raise InputError(
                f"{name}: no clip has {steps} steps in a row; the longest has {longest}",
                "take longer clips, or a shorter window",
            )
        chances = self._places if weights is None else np.asarray(weights) * (self._places > 0)
        self._chances = chances / chances.sum()
        self._batch, self._seed, self._name = batch, seed, name

    def draw(self, step: int, first: int, last: int) -> list[Window]:
        """Return windows ``first`` to ``last - 1`` of the global batch of a step."""
        random = np.random.default_rng(seed_for(self._seed, self._name, step))
        clips = random.choice(len(self._places), size=self._batch, p=self._chances)
        shares = random.random(self._batch)
        return [
            Window(int(clip), int(share * self._places[clip]))
            for clip, share in zip(clips[first:last], shares[first:last], strict=True)
        ]
