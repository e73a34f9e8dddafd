"""What a head does while it speaks that no phone asks for: it sways, nods with the voice, blinks and looks about."""

from __future__ import annotations

from typing import Final

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from chorale.core.seeds import seed_for
from chorale.data.corpora.rendered.mouth import Curves
from chorale.data.corpora.rendered.painter import Pose

Floats = NDArray[np.float64]

_SWAY_S: Final = 0.45  # Smoothness of slow motion.
_SWAY: Final = {"yaw": 0.055, "pitch": 0.030, "roll": 0.025}  # Deviation, radians.
_SHIFT_M: Final = 0.0022
_NOD: Final = 0.05  # Radians for a deviation of loudness.
_NOD_S: Final = 0.12
_BLINKS_PER_S: Final = 17 / 60
"""A speaker's, after Bentivoglio et al. 1997: 17 a minute at rest, more in conversation."""
_BLINK: Final = (0.35, 1.0, 0.85, 0.4)  # Of the lids, frame by frame at 25 a second.
_GAZES_PER_S: Final = 0.8
_GAZE: Final = 0.16


def draw_poses(seed: int, clip: str, loudness: Floats, frames_per_s: float) -> list[Pose]:
    """Return the head's pose in each frame, a function of the arguments.

    Args:
        seed: Of the corpus.
        clip: Its key.
        loudness: Of each frame, any unit, ``(frames,)``.
        frames_per_s: Their rate.
    """
    random = np.random.default_rng(seed_for(seed, "sway", clip))
    frames = len(loudness)
    held = {name: random.normal(0.0, size) for name, size in _SWAY.items()}
    swayed = {name: held[name] + size * _slow(random, frames, frames_per_s) for name, size in _SWAY.items()}
    spread = float(loudness.std()) or 1.0
    nod = scipy.ndimage.gaussian_filter1d((loudness - loudness.mean()) / spread, _NOD_S * frames_per_s)
    pitch = swayed["pitch"] - _NOD * random.uniform(0.3, 1.0) * nod
    shift = _SHIFT_M * np.stack([_slow(random, frames, frames_per_s) for _ in range(2)], axis=1)
    return [
        Pose(float(y), float(p), float(r), (float(s[0]), float(s[1])))
        for y, p, r, s in zip(swayed["yaw"], pitch, swayed["roll"], shift, strict=True)
    ]


def draw_eyes(seed: int, clip: str, frames: int, frames_per_s: float) -> Curves:
    """Return what lids and eyeballs do, a function of the arguments.

    Args:
        seed: Of the corpus.
        clip: Its key.
        frames: How many.
        frames_per_s: Their rate.
    """
    random = np.random.default_rng(seed_for(seed, "eyes", clip))
    lids = np.zeros(frames + len(_BLINK))
    for first in np.flatnonzero(random.random(frames) < _BLINKS_PER_S / frames_per_s):
        lids[first : first + len(_BLINK)] = np.maximum(lids[first : first + len(_BLINK)], _BLINK)
    across, up = np.zeros(frames), np.zeros(frames)
    jumps = random.random(frames) < _GAZES_PER_S / frames_per_s
    jumps[:1] = True
    for first in np.flatnonzero(jumps):
        across[first:], up[first:] = random.normal(0.0, _GAZE, 2) * (1.0, 0.5)
    left, right = np.maximum(across, 0), np.maximum(-across, 0)
    return {
        "eyeBlinkLeft": lids[:frames],
        "eyeBlinkRight": lids[:frames],
        "eyeLookOutLeft": left,
        "eyeLookInRight": left,
        "eyeLookInLeft": right,
        "eyeLookOutRight": right,
        "eyeLookUpLeft": np.maximum(up, 0),
        "eyeLookUpRight": np.maximum(up, 0),
        "eyeLookDownLeft": np.maximum(-up, 0),
        "eyeLookDownRight": np.maximum(-up, 0),
    }


def _slow(random: np.random.Generator, frames: int, frames_per_s: float) -> Floats:
    """Return smooth noise of deviation 1."""
    sigma = _SWAY_S * frames_per_s
    pad = int(4 * sigma)
    noise = scipy.ndimage.gaussian_filter1d(random.standard_normal(frames + 2 * pad), sigma)
    # What smoothing leaves of white noise's deviation: 1 / sqrt(2 sigma sqrt(pi)).
    scaled: Floats = noise[pad : pad + frames] * np.sqrt(2 * sigma * np.sqrt(np.pi))
    return scaled
