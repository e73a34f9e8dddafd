"""Sizes on which all networks agree."""

from __future__ import annotations

from typing import Final, NamedTuple

from chorale.core.errors import InputError
from chorale.data.faces.config import FRAMES_PER_S, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME

STEP_SAMPLES: Final = 160
"""Samples for each step of the context network: 100 steps a second."""
STEPS_PER_FRAME: Final = SAMPLES_PER_FRAME // STEP_SAMPLES
"""Four of its steps while a frame is shown."""
SMALLEST: Final = (4, 3)
"""Height and width at which the generator begins."""
BLOCKS: Final = 5
"""Growing blocks of the generator, and levels of the identity network (**figure**)."""

__all__ = [
    "BLOCKS",
    "FRAMES_PER_S",
    "SAMPLES_PER_FRAME",
    "SAMPLE_RATE_HZ",
    "SMALLEST",
    "STEPS_PER_FRAME",
    "STEP_SAMPLES",
    "FrameSize",
]


class FrameSize(NamedTuple):
    """A frame's size, ``4 * 2**doublings`` by ``3 * 2**doublings`` pixels.

    Attributes:
        doublings: 5 is 128 x 96, after sda's size for CREMA-D; 4 and 3 are 64 x 48 and 32 x 24, for small machines.
    """

    doublings: int

    @classmethod
    def of(cls, height: int, width: int) -> FrameSize:
        """Return the size of these pixels.

        Raises:
            InputError: The networks have no such size.
        """
        for doublings in range(3, BLOCKS + 1):
            if (height, width) == (SMALLEST[0] << doublings, SMALLEST[1] << doublings):
                return cls(doublings)
        raise InputError(f"frames of {height} x {width}", "set faces.height and faces.width to 128 96, 64 48 or 32 24")

    @property
    def height(self) -> int:
        """Pixels."""
        return SMALLEST[0] << self.doublings

    @property
    def width(self) -> int:
        """Pixels."""
        return SMALLEST[1] << self.doublings

    @property
    def maps(self) -> tuple[tuple[int, int], ...]:
        """Height and width of what enters blocks 1 to 5 of the generator, which are those of VGG's levels 5 to 1.

        Below 5 doublings the first blocks do not grow, and the last levels do not shrink.
        """
        still = BLOCKS - self.doublings
        return tuple(
            (SMALLEST[0] << grown, SMALLEST[1] << grown) for grown in [0] * still + list(range(self.doublings))
        )

    @property
    def grows(self) -> tuple[bool, ...]:
        """Whether blocks 1 to 5 double height and width."""
        return tuple(block >= BLOCKS - self.doublings for block in range(BLOCKS))
