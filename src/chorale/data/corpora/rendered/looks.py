"""What a speaker looks like: numbers of the parametric head, and colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chorale.core.seeds import seed_for

Colour = NDArray[np.float64]
"""Red, green, blue; linear light, 0 to 1."""

# Skin from light to dark, with the share of each ancestry that anny shapes a head by: African, Asian, Caucasian.
_SKINS: Final = (
    ((236, 188, 164), (0.05, 0.10, 0.85)),
    ((222, 170, 136), (0.05, 0.75, 0.20)),
    ((198, 142, 108), (0.30, 0.40, 0.30)),
    ((150, 98, 70), (0.60, 0.20, 0.20)),
    ((104, 66, 46), (0.90, 0.05, 0.05)),
)
_HAIR: Final = ((28, 20, 16), (66, 42, 26), (112, 74, 42), (164, 124, 76), (92, 88, 86))
_IRIS: Final = ((88, 58, 34), (78, 108, 138), (88, 112, 78), (48, 34, 24))
_GAMMA: Final = 2.2

# Which of anny's local changes make one face another, and the deviation of each: what is left out moves the mouth's
# or the lids' edges so far that closed lips would gape.
_ALONE: Final = (
    "head-scale-horiz-incr", "head-scale-vert-incr", "head-fat-incr", "head-age-incr", "head-angle-out",
    "forehead-scale-vert-incr", "forehead-temple-incr", "forehead-nubian-incr",
    "chin-width-incr", "chin-height-incr", "chin-prominent-incr", "chin-bones-incr", "chin-cleft-incr",
    "nose-scale-horiz-incr", "nose-scale-vert-incr", "nose-width1-incr", "nose-width2-incr", "nose-width3-incr",
    "nose-hump-incr", "nose-point-up", "nose-volume-incr", "nose-curve-convex", "nose-base-up",
    "mouth-scale-horiz-incr", "mouth-trans-up", "mouth-upperlip-volume-incr", "mouth-lowerlip-volume-incr",
    "mouth-cupidsbow-incr", "mouth-laugh-lines-out", "eyebrows-trans-up", "eyebrows-angle-up",
)  # fmt: skip
_BOTH_SIDES: Final = (
    "cheek-bones-incr", "cheek-volume-incr", "cheek-inner-incr", "eye-scale-incr", "eye-trans-out", "eye-trans-up",
    "eye-corner1-up", "eye-corner2-up", "eye-bag-incr", "eye-epicanthus-out", "ear-scale-incr", "ear-wing-incr",
)  # fmt: skip
_DEVIATION: Final = 0.28
_FURTHEST: Final = 0.6


@dataclass(frozen=True)
class Look:
    """One speaker's.

    Attributes:
        phenotype: Arguments of anny's model: gender, age, ancestry.
        changes: Likewise of its local changes.
        skin: Colour.
        lips: Colour.
        iris: Colour.
        hair: Colour.
        cloth: Colour.
        wall: Colour of the background.
        hair_length_m: How far the hair stands off the scalp.
        long_hair: Whether it falls over the ears to the shoulders.
        brow_m: Thickness of the eyebrows.
    """

    phenotype: dict[str, float]
    changes: dict[str, float]
    skin: Colour
    lips: Colour
    iris: Colour
    hair: Colour
    cloth: Colour
    wall: Colour
    hair_length_m: float
    long_hair: bool
    brow_m: float


def draw_look(seed: int, speaker: int, woman: bool) -> Look:
    """Return a speaker's look, a function of the arguments.

    Args:
        seed: Of the corpus.
        speaker: Its number, from 0: neighbours get skins far apart.
        woman: Whether the voice is a woman's.
    """
    random = np.random.default_rng(seed_for(seed, "look", speaker))
    skin_srgb, ancestry = _SKINS[(speaker * 2 + speaker // len(_SKINS)) % len(_SKINS)]
    skin = _linear(skin_srgb) * random.uniform(0.9, 1.06)
    changes = {name: _change(random) for name in _ALONE}
    for name in _BOTH_SIDES:
        changes[f"l-{name}"] = changes[f"r-{name}"] = _change(random)
    shares = dict(zip(("african", "asian", "caucasian"), ancestry, strict=True))
    phenotype = {
        "gender": random.uniform(0.05, 0.2) if woman else random.uniform(0.8, 0.95),
        "age": random.uniform(0.52, 0.85),
        "weight": random.uniform(0.35, 0.65),
        "muscle": 0.5,
        "height": 0.5,
        "proportions": 0.6,
        **shares,
    }
    redness = random.uniform(0.46, 0.56) if woman else random.uniform(0.54, 0.64)
    return Look(
        phenotype=phenotype,
        changes=changes,
        skin=skin,
        lips=skin * np.array([1.0, redness, redness + 0.03]),
        iris=_linear(_IRIS[int(random.integers(len(_IRIS)))]),
        hair=_linear(_HAIR[int(random.integers(len(_HAIR)))]) * random.uniform(0.8, 1.2),
        cloth=random.uniform(0.03, 0.45, 3),
        wall=np.full(3, random.uniform(0.2, 0.65)) * random.uniform(0.9, 1.1, 3),
        hair_length_m=random.uniform(0.010, 0.018) if woman else random.uniform(0.004, 0.010),
        long_hair=woman,
        brow_m=random.uniform(0.0026, 0.0036) if woman else random.uniform(0.0036, 0.0052),
    )


def _change(random: np.random.Generator) -> float:
    return float(np.clip(random.normal(0.0, _DEVIATION), -_FURTHEST, _FURTHEST))


def _linear(srgb: tuple[int, int, int]) -> Colour:
    return (np.array(srgb) / 255.0) ** _GAMMA
