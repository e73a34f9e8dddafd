"""The sound of a clip, from its video or from a file of its own."""

from __future__ import annotations

import torch

from chorale.core.errors import InputError
from chorale.data.corpora.talking.clip import TalkingClip
from chorale.media.audio.io import read_audio
from chorale.media.video.opening import VIDEO_SUFFIXES
from chorale.media.video.sound import read_sound

_LONGEST_BYTES = 200_000_000
"""Of a sound file that can only be decoded whole: some hours of AAC."""
_SEEKABLE = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".au"})


def clip_sound(clip: TalkingClip, sample_rate_hz: int, end_s: float) -> torch.Tensor:
    """Read the sound of a clip from its begin to ``end_s`` at most; no more than that is held.

    Args:
        clip: Whose.
        sample_rate_hz: The rate wanted.
        end_s: Of the video's time.

    Returns:
        Waveform in [-1, 1], float32, ``(samples,)``.

    Raises:
        InputError: It cannot be read, or would have to be read whole and is too long for that.
    """
    if clip.audio is None:
        return read_sound(clip.video, sample_rate_hz, clip.start_s, end_s)
    suffix = clip.audio.suffix.lower()
    if suffix in VIDEO_SUFFIXES and suffix not in (".mp4", ".m4v"):
        return read_sound(clip.audio, sample_rate_hz, clip.start_s, end_s)
    if suffix not in _SEEKABLE and clip.audio.is_file() and clip.audio.stat().st_size > _LONGEST_BYTES:
        raise InputError(f"{clip.audio}: too long to be read whole", "convert it to wav or flac")
    return read_audio(clip.audio, sample_rate_hz, clip.start_s, end_s)
