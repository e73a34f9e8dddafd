"""The corpus of one run, as training and evaluation read it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from chorale.core import files
from chorale.core.errors import InputError
from chorale.data.corpora.utterances import Clip
from chorale.data.store.reader import Store
from chorale.experiments.fedtts.config import FedttsConfig
from chorale.experiments.fedtts.corpus.batch import Sample
from chorale.experiments.fedtts.corpus.lists import (
    SCALE_FILE,
    Utterance,
    durations_key,
    read_lists,
    store_directory,
    symbols_of,
    units_of,
)
from chorale.media.audio.io import read_audio
from chorale.media.audio.mel import speech_span
from chorale.media.text.symbols import SymbolTable
from chorale.runs.directory import Run

_KEEP_BYTES = 1 << 31
"""Mel spectrograms held in memory per process: five times all of festvox-ru, most of LJSpeech. Further ones are read
from the store each time."""


class Entry(NamedTuple):
    """An utterance without its sound."""

    key: str
    """Its name."""
    speaker: str
    """Who speaks."""
    group: str
    """Chapter, session or scene."""
    text: str
    """Normalised."""
    symbols: tuple[int, ...]
    """Numbers of its symbols, the end of the sentence included."""
    frames: int
    """Mel frames."""


class SpeechData:
    """Utterances of a run, their symbols and normalised mel spectrograms.

    Everything is read when it is first asked for, and files are opened in each process anew.

    Args:
        run: Its ``lists`` and ``store`` stages have ended.
        config: Of the run.
        keep_bytes: Mel spectrograms are kept in memory until so much is held.
    """

    def __init__(self, run: Run, config: FedttsConfig, keep_bytes: int = _KEEP_BYTES) -> None:
        self._run = run
        self._config = config
        self._room = keep_bytes
        self._kept: dict[str, Sample] = {}
        self._lists = read_lists(run)
        self._utterances = {value["key"]: Utterance.from_json(value) for value in self._lists["utterances"]}
        self._table = SymbolTable(self._lists["symbols"])
        self.identity: str = self._lists["identity"]

    @cached_property
    def train(self) -> list[Entry]:
        """Utterances to learn from, in the corpus's order."""
        return [self._entry(utterance) for utterance in self._utterances.values() if not utterance.valid]

    @cached_property
    def valid(self) -> list[Entry]:
        """Held-out utterances; those of ``train`` where none is held out."""
        held_out = [self._entry(utterance) for utterance in self._utterances.values() if utterance.valid]
        return held_out or self.train

    @property
    def n_symbols(self) -> int:
        """Symbols, padding and end included."""
        return len(self._table)

    @property
    def symbol_names(self) -> list[str]:
        """Every symbol by its number."""
        return list(self._table.names)

    def encode(self, text: str, language: str | None = None) -> list[int]:
        """Return the numbers of a text's symbols, and the end of the sentence behind them.

        Args:
            text: As people write it; where ``text.units`` is ``labels``, phones with spaces between.
            language: Its language tag; that of the corpus's first utterance if neither this nor the configuration says.

        Raises:
            InputError: It says nothing, or holds a symbol that the corpus has not.
        """
        own = language or next(iter(self._utterances.values())).language
        (units,) = units_of([text], self._config.text, own)
        if not any(character.isalnum() for character in units):
            raise InputError(f"the text {text!r} says nothing", "write at least one letter")
        return self._table.encode(symbols_of(units, self._config.text.units))

    def sample(self, entry: Entry) -> Sample:
        """Return an utterance's symbols, mel spectrogram and, where symbols are labels, durations.

        Raises:
            InputError: The store is damaged.
        """
        kept = self._kept.get(entry.key)
        if kept is not None:
            return kept
        mel = (np.asarray(self._store[entry.key], dtype=np.float32) - self._mean) / self._deviation
        durations = None
        if self._config.text.units == "labels":
            durations = self._store[durations_key(entry.key)].astype(np.int64)
        sample = Sample(entry.key, np.array(entry.symbols, dtype=np.int64), mel, durations)
        if mel.nbytes <= self._room:
            self._room -= mel.nbytes
            self._kept[entry.key] = sample
        return sample

    def samples(self, entries: Sequence[Entry]) -> list[Sample]:
        """Return several utterances."""
        return [self.sample(entry) for entry in entries]

    def denormalise(self, mel: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return log mel spectrograms from normalised ones, ``(..., n_mels)``."""
        return mel * self._deviation + self._mean

    def recording(self, entry: Entry) -> Clip:
        """Return where an utterance is heard, with the silence around it."""
        return self._utterances[entry.key].clip

    def waveform(self, entry: Entry) -> torch.Tensor:
        """Return an utterance's sound without the silence around it, at the mel's rate: what its mel was made of.

        Raises:
            InputError: The recording cannot be read.
        """
        clip = self.recording(entry)
        waveform = read_audio(clip.path, self._config.mel.sample_rate_hz, clip.start_s, clip.end_s)
        first, last = speech_span(waveform, self._config.mel)
        return waveform[first:last]

    def _entry(self, utterance: Utterance) -> Entry:
        symbols = self._table.encode(symbols_of(utterance.units, self._config.text.units))
        frames = self._store.shape(utterance.key)[0]
        return Entry(utterance.key, utterance.speaker, utterance.group, utterance.text, tuple(symbols), frames)

    @cached_property
    def _store(self) -> Store:
        return Store.open(store_directory(self._config.where.cache, self._lists), self._config.mel.identity())

    @cached_property
    def _scale(self) -> dict[str, list[float]]:
        return dict(files.read_json(self._run.artifacts / SCALE_FILE))

    @cached_property
    def _mean(self) -> NDArray[np.float32]:
        return np.array(self._scale["mean"], dtype=np.float32)

    @cached_property
    def _deviation(self) -> NDArray[np.float32]:
        return np.array(self._scale["deviation"], dtype=np.float32)
