"""Pictures and sound out: an mp4 that browsers and players open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from chorale.core.files import atomic_path
from chorale.media.video.frames import Frame

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.video.stream import VideoStream

_QUALITY = "18"  # Of x264's constant rate factor: hardly to be told from the original.


class VideoWriter:
    """Takes frames one after another, each with the sound that is heard while it is shown.

    Args:
        container: Open for writing.
        frames_per_s: Rate of the pictures.
        sample_rate_hz: Of the sound; None for a silent film.
    """

    def __init__(self, container: OutputContainer, frames_per_s: int, sample_rate_hz: int | None) -> None:
        self._container = container
        self._frames_per_s = frames_per_s
        self._sample_rate_hz = sample_rate_hz
        self._pictures: VideoStream | None = None
        self._sound: AudioStream | None = None
        self._samples = 0

    def add(self, frame: Frame, samples: torch.Tensor | None = None) -> None:
        """Append a frame.

        Args:
            frame: ``(height, width, 3)`` uint8, both even, all of one size.
            samples: ``(samples,)`` in [-1, 1]; as many a frame as keeps pace is the caller's care.

        Raises:
            ValueError: The size is odd, or the sound has no rate.
        """
        import av

        if self._pictures is None:
            self._begin(frame)
        assert self._pictures is not None
        self._container.mux(self._pictures.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        if samples is None or not samples.numel():
            return
        if self._sound is None or self._sample_rate_hz is None:
            raise ValueError("sound was given to a silent film")
        block = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples.detach().cpu().float().clamp(-1, 1).numpy()[np.newaxis]),
            format="fltp",
            layout="mono",
        )
        block.sample_rate, block.pts = self._sample_rate_hz, self._samples
        block.time_base = Fraction(1, self._sample_rate_hz)
        self._samples += samples.numel()
        self._container.mux(self._sound.encode(block))

    def end(self) -> None:
        """Write what the encoders still hold."""
        for stream in (self._pictures, self._sound):
            if stream is not None:
                self._container.mux(stream.encode(None))

    def _begin(self, frame: Frame) -> None:
        height, width = frame.shape[:2]
        if height % 2 or width % 2:
            raise ValueError(f"even height and width were expected, got {height} x {width}")
        # One thread: the same frames are the same file.
        pictures = self._container.add_stream(
            "libx264", rate=self._frames_per_s, options={"crf": _QUALITY, "threads": "1", "preset": "medium"}
        )
        pictures.height, pictures.width, pictures.pix_fmt = height, width, "yuv420p"
        self._pictures = pictures
        if self._sample_rate_hz is not None:
            self._sound = self._container.add_stream("aac", rate=self._sample_rate_hz, layout="mono")


@contextmanager
def writing_video(path: Path, frames_per_s: int, sample_rate_hz: int | None = None) -> Iterator[VideoWriter]:
    """Write an mp4 (H.264, AAC), whole or not at all.

    Args:
        path: Where; folders are made.
        frames_per_s: Rate of the pictures.
        sample_rate_hz: Of the sound; None for a silent film.

    Raises:
        InputError: The folder cannot be written.
    """
    import av

    # The index goes to the front, so that a page can play it before all has come.
    options = {"movflags": "+faststart"}
    with atomic_path(path) as temporary, av.open(str(temporary), "w", format="mp4", options=options) as container:
        writer = VideoWriter(container, frames_per_s, sample_rate_hz)
        yield writer
        writer.end()
