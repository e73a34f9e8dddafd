"""The sound of a video, on its pictures' clock."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from chorale.core.errors import InputError
from chorale.media.audio.io import FloatArray, waveform_at
from chorale.media.video.opening import first_shown_s, opened

# Codecs whose blocks overlap need some before the first that counts.
_LEAD_S = 0.5


def read_sound(path: Path, sample_rate_hz: int, start_s: float = 0.0, end_s: float | None = None) -> torch.Tensor:
    """Read the sound track so that sample ``n`` is heard ``n / sample_rate_hz`` after ``start_s`` of the pictures.

    Time 0 is the first frame's, as in :func:`~chorale.media.video.frames.read_frames`: what sounds before is cut off,
    and where the track begins later or has gaps there is silence.

    Args:
        path: A video.
        sample_rate_hz: The rate wanted; resampled by a windowed sinc (torchaudio's default) where it differs.
        start_s: Where to begin.
        end_s: Where to end; None for the end of the sound.

    Returns:
        Waveform in [-1, 1], float32, ``(samples,)``; several channels are averaged. Shorter than the part where the
        sound ends before.

    Raises:
        InputError: The file is missing, damaged, has no pictures, no sound track, or no sound in the part.
    """
    with opened(path) as container:
        if not container.streams.audio:
            raise InputError(f"{path}: holds no sound", "give a video with sound")
        import av

        stream = container.streams.audio[0]
        rate_hz = stream.rate
        origin_s = first_shown_s(container) + start_s
        if start_s > _LEAD_S and stream.time_base is not None:
            container.seek(round((origin_s - _LEAD_S) / stream.time_base), stream=stream, backward=True)
        resampler = av.AudioResampler(format="flt", layout="mono")
        blocks: list[tuple[int, FloatArray]] = []
        follows = 0
        for frame in container.decode(stream):
            first = follows if frame.time is None else round((frame.time - origin_s) * rate_hz)
            # Time stamps of many formats are rounded to the millisecond; blocks that nearly follow do.
            if blocks and abs(first - follows) <= rate_hz // 500:
                first = follows
            follows = first + frame.samples
            if end_s is not None and first >= (end_s - start_s) * rate_hz:
                break
            if follows > 0:
                blocks += [(first, out.to_ndarray()[0]) for out in resampler.resample(frame)]
    samples = _placed(blocks, None if end_s is None else round((end_s - start_s) * rate_hz))
    if not samples.size:
        raise InputError(f"{path}: holds no sound from {start_s:g} s on", "replace or remove the video")
    return waveform_at(sample_rate_hz, samples, rate_hz, path)


def _placed(blocks: list[tuple[int, FloatArray]], limit: int | None) -> FloatArray:
    """Lay blocks on one line from 0 to the limit, silence where there is none."""
    end = max((first + len(block) for first, block in blocks), default=0)
    line = np.zeros(max(0, end if limit is None else min(end, limit)), np.float32)
    for first, block in blocks:
        cut = max(0, -first)
        part = block[cut : max(cut, len(line) - first)]
        line[first + cut : first + cut + len(part)] = part
    return line
