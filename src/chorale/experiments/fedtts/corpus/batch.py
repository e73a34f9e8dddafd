"""Utterances as arrays, alone and in batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Sample:
    """One utterance.

    Attributes:
        key: Its name.
        symbols: Numbers of its symbols, the last one ``END``; ``(n,)``.
        mel: Normalised log mel spectrogram, ``(frames, n_mels)``.
        durations: Frames of each symbol, which sum to ``frames``, where the corpus has labels; ``(n,)``.
    """

    key: str
    symbols: NDArray[np.int64]
    mel: NDArray[np.float32]
    durations: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Batch:
    """Utterances side by side.

    Attributes:
        symbols: 0 behind the end of each; ``(batch, n)``, int64.
        symbol_lengths: ``(batch,)``, int64.
        mel: 0.0 (the mean of the training part) behind the end of each; ``(batch, frames, n_mels)``, float32.
        mel_lengths: Frames of each, before any padding; ``(batch,)``, int64.
        durations: Frames of each symbol, ``(batch, n)``, int64; None unless every utterance has them.
    """

    symbols: Tensor
    symbol_lengths: Tensor
    mel: Tensor
    mel_lengths: Tensor
    durations: Tensor | None = None

    @property
    def frames(self) -> int:
        """Mel frames of all utterances, without padding."""
        return int(self.mel_lengths.sum())

    def to(self, device: torch.device | str) -> Batch:
        """Return the batch on another device."""
        return Batch(
            self.symbols.to(device, non_blocking=True),
            self.symbol_lengths.to(device, non_blocking=True),
            self.mel.to(device, non_blocking=True),
            self.mel_lengths.to(device, non_blocking=True),
            None if self.durations is None else self.durations.to(device, non_blocking=True),
        )


def collate(samples: Sequence[Sample], reduction: int) -> Batch:
    """Put utterances side by side.

    Args:
        samples: At least one.
        reduction: Frames per decoder step: the frames of the batch are padded up to a multiple of it.
    """
    symbol_lengths = [len(sample.symbols) for sample in samples]
    mel_lengths = [len(sample.mel) for sample in samples]
    steps = -(-max(mel_lengths) // reduction)
    mel = np.zeros((len(samples), steps * reduction, samples[0].mel.shape[1]), dtype=np.float32)
    for row, sample in enumerate(samples):
        mel[row, : len(sample.mel)] = sample.mel
    durations = [sample.durations for sample in samples if sample.durations is not None]
    return Batch(
        _padded([sample.symbols for sample in samples]),
        torch.tensor(symbol_lengths),
        torch.from_numpy(mel),
        torch.tensor(mel_lengths),
        _padded(durations) if len(durations) == len(samples) else None,
    )


def _padded(rows: Sequence[NDArray[np.int64]]) -> Tensor:
    padded = np.zeros((len(rows), max(len(row) for row in rows)), dtype=np.int64)
    for number, row in enumerate(rows):
        padded[number, : len(row)] = row
    return torch.from_numpy(padded)
