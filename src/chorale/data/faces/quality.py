"""Why a clip is dropped: one reason, and the figure that it rests on."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chorale.data.faces.config import FRAMES_PER_S, QualityConfig
from chorale.data.faces.offset import Offset
from chorale.data.faces.track import Track, face_widths, longest_gap

Reason = Literal[
    "unreadable",
    "no sound",
    "silent",
    "too short",
    "too long",
    "sound too short",
    "pictures too short",
    "no face",
    "several shots",
    "face too small",
    "head turned",
    "sound off",
]
"""In the order in which clips are judged."""


class Fault(NamedTuple):
    """What is wrong with a clip."""

    reason: Reason
    """By which reports count."""
    detail: str
    """What was found, in one line."""


def judge_lengths(pictures_s: float, sound_s: float, promised_s: float, config: QualityConfig) -> Fault | None:
    """Judge how long pictures and sound are; None if that is as it should be.

    Args:
        pictures_s: What was decoded.
        sound_s: Likewise.
        promised_s: What the file's header tells; 0 where it does not.
        config: The limits.
    """
    if min(pictures_s, sound_s) < config.min_s:
        return Fault("too short", f"{pictures_s:.2f} s of pictures, {sound_s:.2f} s of sound, under {config.min_s:g} s")
    if pictures_s - sound_s > config.max_sound_short_s:
        return Fault("sound too short", f"sound ends {pictures_s - sound_s:.2f} s before the pictures")
    wanted_s = max(sound_s, promised_s)
    if wanted_s - pictures_s > config.max_pictures_short_s:
        return Fault("pictures too short", f"pictures end after {pictures_s:.2f} of {wanted_s:.2f} s")
    return None


def judge_sound(level_dbfs: float, config: QualityConfig) -> Fault | None:
    """Judge how loud a recording is."""
    if level_dbfs < config.min_sound_dbfs:
        return Fault("silent", f"level {level_dbfs:.0f} dBFS, under {config.min_sound_dbfs:g}")
    return None


def judge_track(track: Track, config: QualityConfig) -> Fault | None:
    """Judge how a face is seen: often enough, in one shot, large enough, not in profile."""
    seen = track.seen
    unseen = 1 - float(seen.mean())
    if unseen > config.max_unseen:
        return Fault("no face", f"in {unseen:.0%} of {len(seen)} frames, more than {config.max_unseen:.0%}")
    if track.cuts:
        at = ", ".join(f"{cut / FRAMES_PER_S:.2f} s" for cut in track.cuts[:3])
        return Fault("several shots", f"{len(track.cuts) + 1}: a cut at {at}{' ...' if len(track.cuts) > 3 else ''}")
    gap_s = longest_gap(seen) / FRAMES_PER_S
    if gap_s > config.max_gap_s:
        return Fault("no face", f"for {gap_s:.2f} s in a row, more than {config.max_gap_s:g} s")
    width = float(np.nanmedian(face_widths(track.points)))
    if width < config.min_face_px:
        return Fault("face too small", f"{width:.0f} pixels wide, under {config.min_face_px:g}")
    turn = float(np.nanmedian(head_turn(track.points)))
    if turn > config.max_turn:
        return Fault("head turned", f"by {turn:.2f} of a profile, more than {config.max_turn:g}")
    return None


def judge_offset(offset: Offset, config: QualityConfig) -> Fault | None:
    """Judge whether sound and lips go together; only a clear estimate counts."""
    if config.max_offset_s is None or not offset.clear or abs(offset.offset_s) <= config.max_offset_s:
        return None
    return Fault("sound off", f"by {offset.offset_s:+.2f} s (correlation {offset.correlation:.2f})")


def head_turn(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far a head is turned to a side in each frame, ``(frames,)``: 0 facing, 1 in profile; NaN where unseen.

    ``|a - b| / (a + b)``, with a and b the distances along the line of the eyes from the tip of the nose to the two
    ends of the jaw's line (iBUG's 0, 30, 16). Our choice: a stand-in for the angle, which needs a model of the head.

    Args:
        points: ``(frames, 68, 2)``.
    """
    along = points[:, 42:48].mean(axis=1) - points[:, 36:42].mean(axis=1)
    along = along / np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), 1e-9)
    one = ((points[:, 30] - points[:, 0]) * along).sum(axis=-1)
    other = ((points[:, 16] - points[:, 30]) * along).sum(axis=-1)
    return np.asarray(np.clip(np.abs(one - other) / np.maximum(np.abs(one + other), 1e-9), 0, 1))
