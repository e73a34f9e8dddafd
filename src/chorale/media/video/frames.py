"""Pictures in: any video that FFmpeg reads, as frames at an even rate, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from chorale.core.errors import InputError
from chorale.media.video.opening import first_shown_s, opened

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame

Frame = npt.NDArray[np.uint8]
"""``(height, width, 3)``: red, green, blue."""


def read_frames(path: Path, frames_per_s: float, start_s: float = 0.0, end_s: float | None = None) -> Iterator[Frame]:
    """Yield the frames that a viewer sees at the middle of each interval of ``1 / frames_per_s``.

    So a video of that rate is read as it is, whatever its time stamps' jitter, and one of a variable rate keeps its
    time: frames are repeated or left out. Time 0 is the first frame's. One frame at a time is held, so that length does
    not matter.

    Args:
        path: A video.
        frames_per_s: The rate wanted.
        start_s: Where to begin.
        end_s: Where to end; None for the end, where the last frame lasts as long as its rate says.

    Yields:
        Frames upright and with square pixels: turned and stretched as the file asks for.

    Raises:
        InputError: The file is missing, damaged, has no pictures, or none in the part.
    """
    with opened(path) as container:
        aspect = float(container.streams.video[0].sample_aspect_ratio or 1)
        wanted = 0
        for shown_s, until_s, frame in _with_times(container, start_s):
            if end_s is not None and shown_s >= end_s:
                break
            last_s = until_s if end_s is None else min(until_s, end_s)
            count = 0
            while start_s + (wanted + 0.5) / frames_per_s < last_s:
                count, wanted = count + 1, wanted + 1
            if count:
                pixels = _upright(frame, aspect)
                for _ in range(count):
                    yield pixels
    if not wanted:
        raise InputError(f"{path}: holds no frames from {start_s:g} s on", "replace or remove the video")


def _with_times(container: InputContainer, start_s: float) -> Iterator[tuple[float, float, VideoFrame]]:
    """Yield frames with the time at which each appears and that at which the next one does."""
    stream = container.streams.video[0]
    zero_s = first_shown_s(container)
    if start_s > 0 and stream.time_base is not None:
        # To the key frame before; what lies between is decoded and left out.
        container.seek(round((zero_s + start_s) / stream.time_base), stream=stream, backward=True)
    length_s = 1 / float(stream.average_rate) if stream.average_rate else 0.04
    before: tuple[float, VideoFrame] | None = None
    for frame in container.decode(stream):
        # Damaged files have frames without a time stamp: they follow the one before.
        shown_s = frame.time - zero_s if frame.time is not None else (before[0] + length_s if before else 0.0)
        if before is not None:
            yield before[0], shown_s, before[1]
        before = shown_s, frame
    if before is not None:
        yield before[0], before[0] + length_s, before[1]


def _upright(frame: VideoFrame, aspect: float) -> Frame:
    """Return the pixels, square and turned as the file asks for."""
    pixels = frame.to_ndarray(format="rgb24", width=round(frame.width * aspect), height=frame.height)
    # The angle is counterclockwise, as numpy's.
    return np.ascontiguousarray(np.rot90(pixels, frame.rotation // 90))
