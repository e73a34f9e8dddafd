"""What is in a file with moving pictures, before any is decoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from chorale.core.errors import InputError

if TYPE_CHECKING:
    from av.container import InputContainer

VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".flv", ".mpg", ".mpeg", ".avi", ".mkv", ".webm"})
"""Names that corpus readers take for videos."""


class VideoInfo(NamedTuple):
    """What a file's header says.

    Attributes:
        height: Of a frame, pixels as stored.
        width: Likewise.
        frames_per_s: On average; 0 where it is not said.
        duration_s: Of the whole file; 0 where it is not said.
        has_sound: Whether there is a sound track.
    """

    height: int
    width: int
    frames_per_s: float
    duration_s: float
    has_sound: bool


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """Open a file that has pictures, and tell what goes wrong in the block in one line.

    Raises:
        InputError: It is missing, damaged, or has no pictures.
    """
    import av

    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise InputError(f"{path}: holds no pictures", "give a video")
            yield container
    except (av.FFmpegError, OSError) as error:
        reason = str(getattr(error, "strerror", "") or error).strip().rstrip(".")
        raise InputError(f"{path}: not a readable video ({reason})", "replace or remove the file") from error


def look_at(path: Path) -> VideoInfo:
    """Return what the header says.

    Raises:
        InputError: The file is missing, damaged, or has no pictures.
    """
    import av

    with opened(path) as container:
        stream = container.streams.video[0]
        duration_s = container.duration / av.time_base if container.duration is not None else 0.0
        rate = float(stream.average_rate) if stream.average_rate else 0.0
        return VideoInfo(stream.height, stream.width, rate, duration_s, bool(container.streams.audio))


def first_shown_s(container: InputContainer) -> float:
    """Return the time stamp of the first frame: time 0 of pictures and sound."""
    stream = container.streams.video[0]
    if stream.start_time is None or stream.time_base is None:
        return 0.0
    return float(stream.start_time * stream.time_base)
