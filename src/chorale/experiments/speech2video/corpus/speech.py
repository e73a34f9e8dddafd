"""Speech to pre-train on: the clips' own, and any folder of recordings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from chorale.core.errors import InputError
from chorale.data.faces.config import SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from chorale.experiments.speech2video.corpus.clips import FaceClips, PartName
from chorale.media.audio.io import AUDIO_SUFFIXES, duration_s, read_audio


class Speech(Protocol):
    """Recordings by number."""

    @property
    def lengths(self) -> Sequence[int]:
        """Samples of each, at 16 kHz."""

    def read(self, number: int, first: int, count: int) -> Tensor:
        """Return samples ``(count,)`` of one, from ``first`` on."""


class ClipSpeech:
    """The sound of a part's clips.

    Args:
        clips: Of the run.
        part: Which of them.
    """

    def __init__(self, clips: FaceClips, part: PartName) -> None:
        self._clips, self._keys = clips, clips.keys(part)

    @property
    def lengths(self) -> Sequence[int]:
        """Samples of each."""
        return [SAMPLES_PER_FRAME * self._clips.length(key) for key in self._keys]

    def read(self, number: int, first: int, count: int) -> Tensor:
        """Return samples ``(count,)`` of one, from ``first`` on."""
        frame = first // SAMPLES_PER_FRAME
        frames = -(-(first + count) // SAMPLES_PER_FRAME) - frame
        at = first - SAMPLES_PER_FRAME * frame
        return self._clips.waveform(self._keys[number], frame, frames)[at : at + count]


class FolderSpeech:
    """Recordings of any kind below a folder, in order of their paths.

    Args:
        folder: Top of them.

    Raises:
        InputError: It is not there, or holds none.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise InputError(f"{folder}: no such directory", "set speech.folder to a folder of recordings")
        self._paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES)
        if not self._paths:
            raise InputError(f"{folder}: holds no recordings", "set speech.folder to a folder of recordings")
        # The last sample is left out: resampling may round a recording's length either way.
        self.lengths: Sequence[int] = [max(0, int(duration_s(path) * SAMPLE_RATE_HZ) - 1) for path in self._paths]

    def read(self, number: int, first: int, count: int) -> Tensor:
        """Return samples ``(count,)`` of one, from ``first`` on.

        Raises:
            InputError: The recording is damaged.
        """
        start_s = first / SAMPLE_RATE_HZ
        samples = read_audio(self._paths[number], SAMPLE_RATE_HZ, start_s, start_s + (count + 1) / SAMPLE_RATE_HZ)
        missing = count - len(samples)
        return torch.nn.functional.pad(samples, (0, max(0, missing)))[:count]


class JoinedSpeech:
    """Several, one after the other.

    Args:
        parts: What is joined.
    """

    def __init__(self, parts: Sequence[Speech]) -> None:
        self._all = [(part, number) for part in parts for number in range(len(part.lengths))]
        self.lengths: Sequence[int] = [length for part in parts for length in part.lengths]

    def read(self, number: int, first: int, count: int) -> Tensor:
        """Return samples ``(count,)`` of one, from ``first`` on."""
        part, own = self._all[number]
        return part.read(own, first, count)
