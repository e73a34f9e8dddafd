"""The claims of the abstract of arXiv:2102.11638, in our words, and what of the arms each is held against.

No heavy imports. How a word of the abstract becomes a figure is our choice, for the paper's own measures are not known.
Accuracies are shares, so effects are differences; each is of the LAST evaluation, since the best is chosen on test
images.
"""

from __future__ import annotations

from typing import NamedTuple

from chorale.core.verdicts import Claimed, Comparison
from chorale.experiments.datafree.comparison.arms import AR, BOTH, DFAD, L2, NOISE, REAL, UNMIXED, VI

_GREATER, _SMALLER = Claimed("difference", "higher"), Claimed("difference", "lower")


class Claim(NamedTuple):
    """A claim and its parts."""

    text: str
    parts: tuple[Comparison, ...]


def claims() -> list[Claim]:
    """Return the abstract's claims."""
    return [
        Claim(
            "The activation regularizer lets the student match the teacher close to activation boundaries",
            (
                Comparison("fewer neurons on the other side", AR, DFAD, "boundary_mismatch", _SMALLER),
                Comparison("higher accuracy", AR, DFAD, "final", _GREATER),
            ),
        ),
        Claim(
            "Virtual interpolation gives samples and labels in between decision boundaries, and so a better student",
            (Comparison("higher accuracy", VI, DFAD, "final", _GREATER),),
        ),
        Claim(
            "Both together make better use of what is generated",
            (
                Comparison("higher accuracy than plain DFAD", BOTH, DFAD, "final", _GREATER),
                Comparison("higher mean over the rounds", BOTH, DFAD, "mean", _GREATER),
            ),
        ),
    ]


def controls() -> list[Comparison]:
    """Return what must hold for a verdict to mean something, and what else could explain an effect."""
    return [
        Comparison("the task tells noise from real images", REAL, NOISE, "final", _GREATER),
        Comparison("the activation boundary does more than plain feature matching", AR, L2, "final", _GREATER),
        Comparison("interpolation does more than as many further images", VI, UNMIXED, "final", _GREATER),
        Comparison("real images are still better", REAL, BOTH, "final", _GREATER),
    ]
