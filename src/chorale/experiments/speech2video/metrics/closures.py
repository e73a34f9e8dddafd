"""Whether the lips close where the sound cannot be made with open ones: m, b and p."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

BILABIALS = frozenset({"m", "b", "p", "mm", "bb", "pp", "mʲ", "bʲ", "pʲ"})
"""Labels in lower case: ARPAbet, the phonetic alphabet, and Festival's Russian, which doubles soft ones."""

CLOSED_SHARE = 0.2
"""Of the speaker's range, from its low end: lips that are nearer than that are closed (our choice)."""

_ENDS = (5.0, 95.0)


class Phone(NamedTuple):
    """A labelled sound.

    Attributes:
        label: Its name.
        start_s: Where it begins.
        end_s: Where it ends.
    """

    label: str
    start_s: float
    end_s: float


class Range(NamedTuple):
    """How far a speaker's lips are apart, from closed to open.

    Attributes:
        low: The 5th percentile.
        high: The 95th.
    """

    low: float
    high: float


class Closures(NamedTuple):
    """How many of the sounds that need it had closed lips.

    Attributes:
        closed: With closed lips.
        phones: All of them that lie in the video.
    """

    closed: int
    phones: int

    @property
    def share(self) -> float | None:
        """Closed ones of all; None of none."""
        return self.closed / self.phones if self.phones else None


def speaker_range(apertures: Iterable[NDArray[Any]]) -> Range:
    """Return the percentiles 5 and 95 over a speaker's REAL videos, so that all systems are held to one threshold.

    Args:
        apertures: Of each, ``(frames,)``; NaN where there is no face.

    Raises:
        ValueError: There is no frame with a face.
    """
    values = np.concatenate([np.asarray(one, np.float64) for one in apertures])
    values = values[np.isfinite(values)]
    if not len(values):
        raise ValueError("frames with a face were expected")
    return Range(*(float(one) for one in np.percentile(values, _ENDS)))


def closures(
    aperture: NDArray[Any],
    phones: Sequence[Phone],
    frames_per_s: float,
    speaker: Range,
    closed_share: float = CLOSED_SHARE,
    labels: frozenset[str] = BILABIALS,
) -> Closures:
    """Return for how many bilabial sounds the lips come together at least once (our choice of figure).

    Closed is an aperture of at most ``low + closed_share * (high - low)`` in any frame that overlaps the sound.

    Args:
        aperture: Of a video, ``(frames,)``; frame ``n`` is shown from ``n / frames_per_s`` on. NaN is not closed.
        phones: What is said in it.
        frames_per_s: Rate of the frames.
        speaker: From :func:`speaker_range`.
        closed_share: Where the threshold lies in the range.
        labels: Which sounds need closed lips, in lower case.
    """
    values = np.asarray(aperture, np.float64)
    threshold = speaker.low + closed_share * (speaker.high - speaker.low)
    closed = seen = 0
    for phone in phones:
        if phone.label.lower() not in labels:
            continue
        # Times of labels are decimal: 0.08 s at 25 a second is 2 frames, not a little more.
        first, end = int(np.floor(phone.start_s * frames_per_s + 1e-6)), int(np.ceil(phone.end_s * frames_per_s - 1e-6))
        during = values[max(0, first) : max(first + 1, end)]
        if np.isfinite(during).any():
            seen += 1
            closed += bool((during <= threshold).any())
    return Closures(closed, seen)
