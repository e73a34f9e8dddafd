"""Mel spectrograms of utterances, the frames of their labels, and mean and deviation of many."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from chorale.experiments.fedtts.config.speech import MelConfig
from chorale.experiments.fedtts.corpus.durations import frame_durations
from chorale.experiments.fedtts.corpus.lists import Utterance
from chorale.media.audio.io import read_audio
from chorale.media.audio.mel import log_mel, speech_span

_LEAST_DEVIATION = 0.1
"""Of a mel bin, in natural logarithms: one that is silent throughout must not be blown up to noise. Our choice."""


def spectrogram(utterance: Utterance, config: MelConfig) -> tuple[NDArray[np.float32], NDArray[np.int64] | None]:
    """Return an utterance's log mel spectrogram, ``(frames, n_mels)``, and the frames of its labels and of the end.

    Raises:
        InputError: The recording is damaged, too short or silent, or its labels do not fit it.
    """
    clip = utterance.clip
    waveform = read_audio(clip.path, config.sample_rate_hz, clip.start_s, clip.end_s)
    first, last = speech_span(waveform, config)
    mel = log_mel(waveform[first:last], config).numpy()
    if not utterance.ends_s:
        return mel, None
    rate_hz = config.sample_rate_hz
    durations = frame_durations(
        utterance.ends_s, first / rate_hz, len(mel), config.hop / rate_hz, waveform.shape[0] / rate_hz
    )
    return mel, durations


def mel_scale(mels: Iterable[NDArray[np.float32]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of every bin over all frames, ``(n_mels,)`` each.

    Sums are of float64, one utterance after the other: hours of speech need no more memory than a sentence.

    Args:
        mels: ``(frames, n_mels)`` each; at least one.
    """
    count, total, squares = 0, np.zeros(1), np.zeros(1)
    for mel in mels:
        values = mel.astype(np.float64)
        count += len(values)
        total = total + values.sum(axis=0)
        squares = squares + np.square(values).sum(axis=0)
    mean = total / count
    variance = np.maximum(squares / count - np.square(mean), 0.0)
    return mean, np.maximum(np.sqrt(variance), _LEAST_DEVIATION)
