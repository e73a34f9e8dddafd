"""A trained network and a vocoder together: from symbols to sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from chorale.experiments.fedtts.config import FedttsConfig
from chorale.experiments.fedtts.corpus.speech_data import Entry, SpeechData
from chorale.experiments.fedtts.metrics.attention import best_head
from chorale.experiments.fedtts.network.storage import NETWORK_FILE, load_network
from chorale.experiments.fedtts.network.synthesis import speak
from chorale.experiments.fedtts.network.transformer import TransformerTts
from chorale.media.audio.vocoder import griffin_lim, load_vocoder
from chorale.runs.directory import Run

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Utterance:
    """What was said, or recorded.

    Attributes:
        mel: Log mel spectrogram, ``(frames, n_mels)``.
        waveform: ``(samples,)``.
        attention: Of the head that reads best, ``(steps, symbols)``; None for a recording.
        stopped: Whether it ended by itself.
    """

    mel: Array
    waveform: torch.Tensor
    attention: Array | None = None
    stopped: bool = True


class Speaker:
    """Says symbols of a corpus, always free-running.

    Args:
        data: Symbols and scales of the corpus.
        config: Mel, synthesis.
        network: Says mels.
        vocoder: ``module:function`` of the user's own; Griffin-Lim if not given.
    """

    def __init__(
        self, data: SpeechData, config: FedttsConfig, network: TransformerTts, vocoder: str | None = None
    ) -> None:
        self._data, self._config, self._network = data, config, network
        self._vocoder = load_vocoder(vocoder) if vocoder is not None else None

    @classmethod
    def of_run(cls, run: Run, data: SpeechData, config: FedttsConfig, vocoder: str | None = None) -> Speaker:
        """Return the speaker that a run has trained.

        Raises:
            InputError: It has not trained yet, or there is no such vocoder.
        """
        path = run.artifacts / NETWORK_FILE
        return cls(data, config, load_network(path, config.network, data.n_symbols, config.mel.n_mels), vocoder)

    def say(self, symbols: Sequence[int], max_frames: int) -> Utterance:
        """Say symbols until the network stops, or for ``max_frames`` mel frames."""
        spoken = speak(self._network, symbols, self._reduction, self._config.synthesis.stop_threshold, max_frames)
        mel = self._data.denormalise(spoken.mel)
        layer, head = best_head(spoken.attention)
        return Utterance(mel, self.sound(mel), spoken.attention[layer, head], spoken.stopped)

    def sound(self, mel: Array) -> torch.Tensor:
        """Return the waveform of a log mel spectrogram."""
        config = self._config
        if self._vocoder is not None:
            return self._vocoder(torch.from_numpy(mel), config.mel.sample_rate_hz)
        return griffin_lim(torch.from_numpy(mel), config.mel, config.synthesis.griffin_lim_iterations, config.seed)

    @property
    def _reduction(self) -> int:
        config = self._config
        return config.recipe.reduction[-1].factor if config.mode == "central" else config.federation.reduction


def recorded(data: SpeechData, entry: Entry) -> Utterance:
    """Return what was recorded, cut as the network saw it."""
    return Utterance(data.denormalise(data.sample(entry).mel), data.waveform(entry))
