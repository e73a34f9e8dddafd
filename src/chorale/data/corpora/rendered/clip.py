"""One clip: from what is said, and how, to a video with sound."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from chorale.core.files import write_json
from chorale.core.seeds import seed_for
from chorale.data.corpora.rendered.anatomy import Anatomy
from chorale.data.corpora.rendered.cast import Speaker
from chorale.data.corpora.rendered.config import Emotion
from chorale.data.corpora.rendered.emotions import draw_expression
from chorale.data.corpora.rendered.idle import draw_eyes, draw_poses
from chorale.data.corpora.rendered.mouth import Curves, TimedViseme, closure, mouth_curves
from chorale.data.corpora.rendered.painter import HeadPainter
from chorale.data.corpora.rendered.speech import SAMPLE_RATE_HZ, Spoken, loudness_db
from chorale.media.video.frames import Frame
from chorale.media.video.write import writing_video

FRAMES_PER_S: Final = 25
"""Of every clip."""

_SAMPLES_PER_FRAME: Final = SAMPLE_RATE_HZ // FRAMES_PER_S
_OPENNESS: Final = (1.0, 0.12)  # Mean and deviation of how much a clip's speaker opens the mouth.
# What a smile or a frown would pull apart while lips are pressed together.
_PARTS_LIPS: Final = ("jawOpen", "mouthUpperUp", "mouthLowerDown", "mouthStretch", "mouthShrugLower", "jawForward")
_HALF_PARTS_LIPS: Final = ("mouthSmile", "mouthFrown", "noseSneer")


def write_clip(
    path: Path, key: str, seed: int, emotion: Emotion, spoken: Spoken, speaker: Speaker, head: int, painter: HeadPainter
) -> int:
    """Draw a clip and write it with its sound, and beside it the moments of its visemes.

    Args:
        path: Of the video.
        key: Of the clip: what every draw of it is keyed by.
        seed: Of the corpus.
        emotion: Shown.
        spoken: What is heard.
        speaker: Who.
        head: Its number in the painter's anatomy.
        painter: Draws.

    Returns:
        Frames written.
    """
    waveform = _whole_frames(spoken.waveform)
    frames = len(waveform) // _SAMPLES_PER_FRAME
    curves = face_curves(seed, key, emotion, spoken.visemes, frames)
    poses = draw_poses(seed, key, loudness_db(waveform, _SAMPLES_PER_FRAME), FRAMES_PER_S)
    painter.dress(speaker.look, 1.0 if seed_for(seed, "lamp", key) % 2 else -1.0)
    with writing_video(path, FRAMES_PER_S, SAMPLE_RATE_HZ) as writer:
        shapes = head_shapes(painter.anatomy, head, curves)
        for index, (points, pose) in enumerate(zip(shapes, poses, strict=True)):
            frame: Frame = painter.draw(points, pose)
            writer.add(frame, waveform[index * _SAMPLES_PER_FRAME : (index + 1) * _SAMPLES_PER_FRAME])
    phones = [{"viseme": one.viseme, "start_s": one.start_s, "end_s": one.end_s} for one in spoken.visemes]
    write_json(path.with_suffix(".json"), phones)
    return frames


def face_curves(seed: int, key: str, emotion: Emotion, spoken: list[TimedViseme], frames: int) -> Curves:
    """Return how far each action of the face goes in each frame: mouth, emotion and eyes together.

    Args:
        seed: Of the corpus.
        key: Of the clip.
        emotion: Shown.
        spoken: In order of time.
        frames: How many.
    """
    random = np.random.default_rng(seed_for(seed, "openness", key))
    curves = mouth_curves(spoken, frames, FRAMES_PER_S, max(0.5, random.normal(*_OPENNESS)))
    closed = closure(spoken, (np.arange(frames) + 0.5) / FRAMES_PER_S)
    for name, value in draw_expression(seed, key, emotion).items():
        shown = np.full(frames, value)
        if name.startswith(_PARTS_LIPS):
            shown *= 1 - closed
        elif name.startswith(_HALF_PARTS_LIPS):
            shown *= 1 - 0.5 * closed
        curves[name] = curves.get(name, 0.0) + shown
    for name, curve in draw_eyes(seed, key, frames, FRAMES_PER_S).items():
        curves[name] = np.maximum(curves.get(name, 0.0), curve)
    return {name: np.clip(curve, 0.0, 1.0) for name, curve in curves.items()}


def head_shapes(anatomy: Anatomy, head: int, curves: Curves) -> Iterator[NDArray[np.float32]]:
    """Yield each frame's points ``(points, 3)``.

    Args:
        anatomy: Of all speakers.
        head: Number of the speaker's.
        curves: How far each action goes.
    """
    names = [str(name) for name in anatomy.names]
    used = [names.index(name) for name in curves]
    weights = np.stack(list(curves.values()), axis=1).astype(np.float32)
    actions = anatomy.actions[used].reshape(len(used), -1)
    rest = anatomy.heads[head].reshape(-1)
    for row in weights:
        yield (rest + row @ actions).reshape(-1, 3)


def _whole_frames(waveform: torch.Tensor) -> torch.Tensor:
    missing = -len(waveform) % _SAMPLES_PER_FRAME
    return torch.nn.functional.pad(waveform, (0, missing))
