"""What the stages share about the data: the list of utterances, who speaks, the trials, the features."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from chorale.core import files
from chorale.data.corpora.trials import read_trials
from chorale.data.corpora.utterances import Clip, Utterance
from chorale.data.store.reader import Store
from chorale.experiments.autovector.config import AutovectorConfig
from chorale.runs.directory import Run

Part = Literal["train", "dev", "test"]
LISTS_FILE = "lists/utterances.json"


def trials_file(part: Part) -> str:
    """Return the path of a trial list below the run's artifacts."""
    return f"lists/{part}-trials.txt"


class TrialList(NamedTuple):
    """Trials as arrays, ``(trials,)`` each."""

    labels: NDArray[np.int64]
    """1 target, 0 non-target."""
    first: NDArray[np.int64]
    """Position of the first utterance."""
    second: NDArray[np.int64]
    """Position of the second."""
    first_speaker: NDArray[np.int64]
    """Number of the first utterance's speaker, from 0 within the list."""
    second_speaker: NDArray[np.int64]
    """Number of the second's."""


class StoredFeatures(Sequence[NDArray[np.float32]]):
    """Features of each utterance by its position, read from the store and kept in memory after the first time.

    Args:
        store: Where they lie.
        keys: Of the utterances.
        keep_bytes: Reading goes on without keeping once so much is held.
    """

    def __init__(self, store: Store, keys: Sequence[str], keep_bytes: int) -> None:
        self._store = store
        self._keys = keys
        self._kept: dict[int, NDArray[np.float32]] = {}
        self._room = keep_bytes

    def __len__(self) -> int:
        return len(self._keys)

    @overload
    def __getitem__(self, position: int) -> NDArray[np.float32]: ...
    @overload
    def __getitem__(self, position: slice) -> Sequence[NDArray[np.float32]]: ...
    def __getitem__(self, position: int | slice) -> NDArray[np.float32] | Sequence[NDArray[np.float32]]:
        if isinstance(position, slice):
            return [self[one] for one in range(*position.indices(len(self)))]
        kept = self._kept.get(position)
        if kept is not None:
            return kept
        array: NDArray[np.float32] = self._store[self._keys[position]]
        if array.nbytes <= self._room:
            self._room -= array.nbytes
            self._kept[position] = array
        return array


class SpeakerData:
    """The corpus of one run: utterances by position, in the order of the run's list.

    Args:
        run: Its ``lists`` and ``store`` stages have ended.
        config: Of the run.
    """

    def __init__(self, run: Run, config: AutovectorConfig) -> None:
        self._run = run
        self._config = config
        self._lists = read_lists(run)
        self.identity: str = self._lists["identity"]
        self.n_features = config.features.dim

    @cached_property
    def keys(self) -> list[str]:
        """Name of each utterance."""
        return [entry["key"] for entry in self._lists["utterances"]]

    @cached_property
    def features(self) -> StoredFeatures:
        """Features of each utterance, ``(frames, n_features)``."""
        return StoredFeatures(self._store, self.keys, self._config.memory_mb * 1024 * 1024)

    @cached_property
    def lengths(self) -> list[int]:
        """Frames of each utterance."""
        return [self._store.shape(key)[0] for key in self.keys]

    @cached_property
    def training(self) -> list[list[int]]:
        """Positions of the utterances of each training speaker."""
        positions: dict[str, list[int]] = {}
        for position, entry in enumerate(self._lists["utterances"]):
            if entry["part"] == "train":
                positions.setdefault(entry["speaker"], []).append(position)
        return list(positions.values())

    def centring(self, count: int | None) -> list[int]:
        """Return the positions of ``count`` training utterances, spread evenly; all if None."""
        every = [position for speaker in self.training for position in speaker]
        kept = len(every) if count is None else min(count, len(every))
        return [every[number * len(every) // kept] for number in range(kept)]

    def trials(self, part: Part) -> TrialList:
        """Return the trials of a part.

        Raises:
            InputError: The list is damaged or names an utterance that is not in the corpus.
        """
        position_of = {key: position for position, key in enumerate(self.keys)}
        trials = read_trials(self._run.artifacts / trials_file(part), position_of)
        first = np.array([position_of[trial.enroll] for trial in trials], dtype=np.int64)
        second = np.array([position_of[trial.test] for trial in trials], dtype=np.int64)
        speakers = np.array([entry["speaker"] for entry in self._lists["utterances"]])
        _, numbers = np.unique(np.concatenate([speakers[first], speakers[second]]), return_inverse=True)
        labels = np.array([trial.label for trial in trials], dtype=np.int64)
        return TrialList(labels, first, second, *np.split(numbers.astype(np.int64), 2))

    @cached_property
    def _store(self) -> Store:
        directory = store_directory(self._config.where.cache, self._lists)
        return Store.open(directory, self._config.features.identity())


def store_directory(cache: Path, lists: dict[str, Any]) -> Path:
    """Return where the features lie: in the cache, under the hash of corpus and feature configuration."""
    return cache / "features" / str(lists["store"])


def read_lists(run: Run) -> dict[str, Any]:
    """Return what the ``lists`` stage wrote: identities, number of shards, and every utterance."""
    return dict(files.read_json(run.artifacts / LISTS_FILE))


def describe_utterance(utterance: Utterance, part: Part) -> dict[str, Any]:
    """Return an utterance as a JSON value."""
    clips = [[str(clip.path), clip.start_s, clip.end_s] for clip in utterance.clips]
    return {"key": utterance.key, "speaker": utterance.speaker, "part": part, "clips": clips}


def clips_of(entry: dict[str, Any]) -> list[Clip]:
    """Return the clips of an utterance from its JSON value."""
    return [Clip(Path(path), start_s, end_s) for path, start_s, end_s in entry["clips"]]
