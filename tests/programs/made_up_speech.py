"""Made-up utterances that stand in for a corpus: each symbol has a spectrum of its own, held for a few frames."""

from __future__ import annotations

from typing import Any

import numpy as np

from chorale.experiments.fedtts.config import FedttsConfig
from chorale.experiments.fedtts.config.network import NetworkConfig
from chorale.experiments.fedtts.corpus.batch import Batch, Sample, collate
from chorale.experiments.fedtts.corpus.speech_data import Entry

N_MELS, N_SYMBOLS = 8, 7
TINY = NetworkConfig(
    encoder_layers=3,
    decoder_layers=3,
    width=16,
    heads=2,
    feed_forward=32,
    encoder_prenet=12,
    encoder_prenet_layers=2,
    decoder_prenet=12,
    postnet=12,
    postnet_layers=3,
    kernel=3,
    reduction=3,
)
"""Every part there is, as small as it gets."""


def made_up_sample(index: int, symbols: int | None = None) -> Sample:
    """Return utterance number ``index``; with another number, another length."""
    generator = np.random.default_rng(index)
    spectra = np.random.default_rng(99).normal(size=(N_SYMBOLS, N_MELS))
    count = int(generator.integers(3, 9)) if symbols is None else symbols
    spoken = generator.integers(1, N_SYMBOLS, count)
    durations = generator.integers(2, 5, count)
    mel = np.repeat(spectra[spoken], durations, axis=0) + 0.1 * generator.normal(size=(durations.sum(), N_MELS))
    return Sample(f"utterance-{index}", spoken.astype(np.int64), mel.astype(np.float32), durations.astype(np.int64))


def made_up_batch(indices: list[int], reduction: int) -> Batch:
    """Return utterances as a batch."""
    return collate([made_up_sample(index) for index in indices], reduction)


class MadeUpSpeech:
    """What the training asks of a corpus."""

    n_symbols = N_SYMBOLS

    def __init__(self, train: int = 10, valid: int = 3) -> None:
        self._samples = {f"utterance-{index}": made_up_sample(index) for index in range(train + valid)}
        entries = [_entry(sample) for sample in self._samples.values()]
        self.train, self.valid = entries[:train], entries[train:]

    def sample(self, entry: Entry) -> Sample:
        return self._samples[entry.key]


def made_up_config(mode: str = "central", **changes: Any) -> FedttsConfig:
    """Return a configuration of the tiny network; ``changes`` are of its sections."""
    tree: dict[str, Any] = {"mode": mode, "network": TINY.model_dump(), "mel": {"n_mels": N_MELS}}
    for section, values in changes.items():
        tree[section] = {**tree.get(section, {}), **values} if isinstance(values, dict) else values
    return FedttsConfig.model_validate(tree)


def _entry(sample: Sample) -> Entry:
    symbols = tuple(int(symbol) for symbol in sample.symbols)
    return Entry(sample.key, "someone", "chapter-1", "made up", symbols, len(sample.mel))
