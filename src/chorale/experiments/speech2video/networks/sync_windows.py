"""Pairs of five frames and the fifth of a second that is heard with them: what a sync network looks at."""

from __future__ import annotations

from typing import Final

from torch import Tensor

from chorale.experiments.speech2video.networks.shapes import SAMPLES_PER_FRAME

WINDOW_FRAMES: Final = 5
"""Chung and Zisserman 2016, section 2.2; Prajwal et al. 2020, section 3.1."""
WINDOW_SAMPLES: Final = WINDOW_FRAMES * SAMPLES_PER_FRAME
"""0.2 s."""


def face_windows(frames: Tensor) -> Tensor:
    """Return all windows of a clip, one beginning with each frame, ``(frames - 4, 5, 3, height, width)``: views.

    Args:
        frames: ``(frames, 3, height, width)``, at least five.
    """
    return frames.unfold(0, WINDOW_FRAMES, 1).movedim(-1, 1)


def speech_windows(waveform: Tensor) -> Tensor:
    """Return the sound of the same windows, ``(frames - 4, 3200)``: views.

    Args:
        waveform: ``(640 * frames,)``.
    """
    return waveform.unfold(0, WINDOW_SAMPLES, SAMPLES_PER_FRAME)


def lower_half(frames: Tensor) -> Tensor:
    """Return the half with the mouth, ``(..., height / 2, width)``: so neither eyes nor hair tell the window."""
    return frames[..., frames.shape[-2] // 2 :, :]
