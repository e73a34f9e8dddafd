"""What an emotion does to face and voice. Every clip draws from distributions that OVERLAP between emotions.

So a clip's emotion cannot be read off one number of it: a loud, high and quick one is angry, happy, afraid, or just
its speaker's way. Means follow what is known of acted speech (after Banse and Scherer 1996: anger and joy
higher and louder, sadness lower and slower); deviations, and what the face does, are our choice, the latter after
FACS's prototypes (Ekman and Friesen 1978).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from chorale.core.seeds import seed_for
from chorale.data.corpora.rendered.config import Emotion


class Prosody(NamedTuple):
    """How an utterance is spoken, in relation to its speaker's usual way.

    Attributes:
        pitch: Factor of the fundamental frequency.
        span: Factor of how far it moves about its mean, in semitones.
        rate: Factor of speed.
        gain_db: Of loudness.
    """

    pitch: float
    span: float
    rate: float
    gain_db: float


# Means of pitch and span (semitones above the usual; log2), rate (log2) and loudness (dB).
_VOICE: Final[dict[Emotion, tuple[float, float, float, float]]] = {
    "neutral": (0.0, 0.0, 0.0, 0.0),
    "anger": (2.0, 0.35, 0.16, 5.0),
    "disgust": (-0.8, -0.05, -0.14, 0.0),
    "fear": (3.0, -0.15, 0.20, 1.0),
    "happy": (2.4, 0.45, 0.08, 3.0),
    "sad": (-1.8, -0.45, -0.20, -4.0),
}
_VOICE_DEVIATION: Final = (1.5, 0.25, 0.10, 2.5)

_FACE: Final[dict[Emotion, dict[str, float]]] = {
    "neutral": {},
    "anger": {"browDown": 0.95, "eyeSquint": 0.45, "noseSneer": 0.35, "mouthFrown": 0.25, "jawForward": 0.3},
    "disgust": {"noseSneer": 0.90, "mouthUpperUp": 0.30, "cheekSquint": 0.45, "browDown": 0.40, "mouthFrown": 0.40},
    "fear": {"browInnerUp": 0.95, "browOuterUp": 0.55, "eyeWide": 0.85, "mouthStretch": 0.40},
    "happy": {"mouthSmile": 0.85, "cheekSquint": 0.65, "eyeSquint": 0.20, "browOuterUp": 0.15},
    "sad": {"browInnerUp": 0.80, "mouthFrown": 0.80, "mouthShrugLower": 0.25, "eyeBlink": 0.18, "eyeLookDown": 0.25},
}
_WHOLE: Final = ("browInnerUp", "jawForward", "mouthShrugLower")
_INTENSITY: Final = (0.72, 0.20)  # Mean and deviation of how much of it a clip shows.
_LEAST: Final = 0.25
_OWN: Final = 0.10  # Deviation of every action, whatever the emotion: no two clips of one look alike.


def draw_prosody(seed: int, clip: str, emotion: Emotion) -> Prosody:
    """Return how a clip is spoken, a function of the arguments."""
    random = np.random.default_rng(seed_for(seed, "prosody", clip))
    pitch, span, rate, gain_db = np.array(_VOICE[emotion]) + np.array(_VOICE_DEVIATION) * random.standard_normal(4)
    return Prosody(float(2 ** (pitch / 12)), float(2**span), float(2**rate), float(gain_db))


def draw_expression(seed: int, clip: str, emotion: Emotion) -> dict[str, float]:
    """Return how far each action of the face goes all through a clip, 0 to 1, a function of the arguments."""
    random = np.random.default_rng(seed_for(seed, "expression", clip))
    intensity = max(_LEAST, random.normal(*_INTENSITY))
    shown: dict[str, float] = {}
    for name in sorted({name for face in _FACE.values() for name in face}):
        value = intensity * _FACE[emotion].get(name, 0.0) + abs(random.normal(0.0, _OWN)) * (name != "eyeBlink")
        # A face is never quite even.
        lean = random.normal(0.0, 0.06)
        sides = {"": 1.0} if name in _WHOLE else {"Left": 1 + lean, "Right": 1 - lean}
        shown |= {name + side: float(np.clip(value * factor, 0.0, 1.0)) for side, factor in sides.items()}
    return shown
