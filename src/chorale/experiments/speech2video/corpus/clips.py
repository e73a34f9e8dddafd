"""The prepared clips of a run, by part, with the numbers of their speakers and emotions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from chorale.core.errors import InputError
from chorale.data.faces.config import SAMPLES_PER_FRAME
from chorale.data.store.clip_store import ClipStore
from chorale.experiments.speech2video.results import read_lists, store_folder
from chorale.runs.directory import Run

PartName = Literal["train", "dev", "test"]


class Labels(NamedTuple):
    """Of a clip.

    Attributes:
        speaker: Number in the list of speakers.
        emotion: Number in the list of emotions.
    """

    speaker: int
    emotion: int


class FaceClips:
    """Aligned faces with their sound.

    Args:
        store: The clips.
        parts: The part of each clip by its key; others are left out.

    Attributes:
        speakers: Names of those in any part, sorted.
        emotions: Likewise; empty where clips have no emotion.

    Raises:
        InputError: Some clips have an emotion and some have none.
    """

    def __init__(self, store: ClipStore, parts: Mapping[str, str]) -> None:
        self._store = store
        self._keys: dict[str, list[str]] = {"train": [], "dev": [], "test": []}
        for key in store.keys:
            if key in parts:
                self._keys[parts[key]].append(key)
        facts = {key: store.facts(key) for keys in self._keys.values() for key in keys}
        bare = [key for key, known in facts.items() if known["emotion"] is None]
        if bare and len(bare) < len(facts):
            raise InputError(f"{bare[0]}: has no emotion, and others have", "name every clip's emotion, or none")
        self.speakers = sorted({str(known["speaker"]) for known in facts.values()})
        self.emotions = [] if bare else sorted({str(known["emotion"]) for known in facts.values()})
        self._labels = {
            key: Labels(
                self.speakers.index(str(known["speaker"])),
                self.emotions.index(str(known["emotion"])) if self.emotions else 0,
            )
            for key, known in facts.items()
        }

    @classmethod
    def open(cls, run: Run, cache: Path) -> FaceClips:
        """Return the clips that a run has prepared.

        Raises:
            InputError: The store is not there, or damaged.
        """
        lists = read_lists(run)
        return cls(ClipStore.open(store_folder(cache, lists), lists["identity"]), lists["parts"])

    def keys(self, part: PartName) -> Sequence[str]:
        """Return the clips of a part, in the store's order."""
        return self._keys[part]

    def labels(self, key: str) -> Labels:
        """Return a clip's."""
        return self._labels[key]

    def length(self, key: str) -> int:
        """Return a clip's frames, each of 640 samples of sound."""
        return self._store.shape(key, "frames")[0]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a frame, pixels."""
        _, height, width, _ = self._store.shape(self._store.keys[0], "frames")
        return height, width

    def frames(self, key: str, first: int = 0, count: int | None = None) -> Tensor:
        """Return frames ``(count, 3, height, width)`` in [-1, 1].

        Args:
            key: The clip.
            first: Frame to begin with.
            count: How many; None for all to the end.
        """
        read = self._store.read(key, "frames", first, None if count is None else first + count)
        return torch.from_numpy(read).permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)

    def waveform(self, key: str, first: int = 0, count: int | None = None) -> Tensor:
        """Return the sound of frames ``(640 * count,)``; arguments as of :meth:`frames`."""
        last = None if count is None else SAMPLES_PER_FRAME * (first + count)
        return torch.from_numpy(self._store.read(key, "waveform", SAMPLES_PER_FRAME * first, last))

    def landmarks(self, key: str) -> Tensor:
        """Return the 68 points of each frame ``(frames, 68, 2)``, pixels of the frame."""
        return torch.from_numpy(self._store.read(key, "landmarks"))
