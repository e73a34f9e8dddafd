"""What stands beside every table: the controls, and which way each measure is better. No heavy imports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from chorale.core.verdicts import Direction


class Control(NamedTuple):
    """Videos that the generated ones are held against.

    Attributes:
        name: Key of their figures.
        text: What they are.
        side: ``ceiling``: as good as can be, and what a measure makes of that; ``peer``: another way to do the task;
            ``floor``: what a measure gives to videos that do not do the task at all.
    """

    name: str
    text: str
    side: Literal["ceiling", "peer", "floor"]


CONTROLS = (
    Control("real", "the real video", "ceiling"),
    Control("re-encoded", "the real video, encoded as the generated one is", "ceiling"),
    Control(
        "still", "speech and a still image of the speaker: the same generator, an image encoder in place of ν", "peer"
    ),
    Control("mean-face", "the mean face of all speakers, which does not move", "floor"),
    Control("shuffled", "our network on the speech of another utterance", "floor"),
)
"""The controls of every table."""


class Measure(NamedTuple):
    """A figure of a video.

    Attributes:
        name: Key.
        text: As people read it, with its unit.
        better: Which way; None where it is to be as the real video's.
    """

    name: str
    text: str
    better: Direction | None


MEASURES = (
    Measure("psnr_db", "PSNR, dB", "higher"),
    Measure("ssim", "SSIM", "higher"),
    Measure("cpbd", "CPBD, sharpness", "higher"),
    Measure("lmd_px", "LMD, mouth, pixels", "lower"),
    Measure("aperture_correlation", "correlation of lip apertures", "higher"),
    Measure("closed_lips", "closed lips at m, b, p", "higher"),
    Measure("lse_d", "LSE-D", "lower"),
    Measure("lse_c", "LSE-C", "higher"),
    Measure("acd_cosine", "ACD to the real face, cosine", "lower"),
    Measure("acd_euclidean", "ACD to the real face, L2", "lower"),
    Measure("acd_within", "ACD within the video, L2", None),
    Measure("emotion_accuracy", "emotion recognised", "higher"),
    Measure("blinks_per_min", "blinks a minute", None),
    Measure("head_shift", "head motion, eye distances", None),
    Measure("head_roll_deg", "head roll, degrees", None),
)
"""The measures of one video."""
