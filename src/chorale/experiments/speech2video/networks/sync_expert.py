"""The sync expert: whether lips and speech belong together (**figure**: D_sync)."""

from __future__ import annotations

import math
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chorale.experiments.speech2video.networks.layers import Norm, normalisation
from chorale.experiments.speech2video.networks.shapes import SAMPLE_RATE_HZ, FrameSize
from chorale.experiments.speech2video.networks.sync_windows import WINDOW_FRAMES, WINDOW_SAMPLES, lower_half
from chorale.media.audio.config import MelConfig
from chorale.media.audio.mel import mel_filters

_N_FFT: Final = 800
_HOP: Final = 200
_EDGES_HZ: Final = (55.0, 7600.0)
_SPEECH_HALVINGS: Final = 3


class SyncExpert(nn.Module):
    """Cosine of an embedding of five lower faces and one of the log mel spectrogram of their 0.2 s.

    That speech is held against frames is the paper's (**figure**). Network and loss are our **choice**, after the paper
    notes: the expert of Prajwal et al. 2020, section 3.1, whose embeddings have no negative values, so that the cosine
    is a probability. Windows of 50 ms every 12.5 ms and 80 bins are theirs too. Each encoder is of pairs of
    convolutions, the first halving, the second with a residual; layer normalisation before the last ReLU keeps any
    embedding from being 0 throughout (our choice: such an expert learns no more).

    Args:
        size: Of a frame.
        width: Channels of the first convolutions; they double with each halving, up to 8 times.
        embedding: Length.
        n_mels: Bins; a multiple of 8.
        norm: After each convolution.
    """

    def __init__(
        self, size: FrameSize, width: int = 32, embedding: int = 512, n_mels: int = 80, norm: Norm = "batch"
    ) -> None:
        super().__init__()
        self.speech_mel = WindowMel(n_mels)
        # Of 64 x 96 pixels or fewer, 4 x 6 places are left; of 80 x 16 frames, 10 x 2.
        self.faces = _Encoder(3 * WINDOW_FRAMES, width, size.doublings - 1, 24, embedding, norm)
        places = (n_mels >> _SPEECH_HALVINGS) * (WINDOW_SAMPLES // _HOP >> _SPEECH_HALVINGS)
        self.speech = _Encoder(1, width, _SPEECH_HALVINGS, places, embedding, norm)

    def forward(self, frames: Tensor, waveforms: Tensor) -> Tensor:
        """Return the cosine of each pair, in [0, 1], ``(batch,)``; arguments as of the two methods below."""
        return (self.embed_faces(frames) * self.embed_speech(waveforms)).sum(dim=1)

    def embed_faces(self, frames: Tensor) -> Tensor:
        """Map whole frames ``(batch, 5, 3, height, width)`` in [-1, 1] to ``(batch, embedding)`` of length 1."""
        return _unit(self.faces(lower_half(frames).flatten(1, 2)))

    def embed_speech(self, waveforms: Tensor) -> Tensor:
        """Map ``(batch, 3200)`` at 16 kHz to embeddings of length 1, likewise."""
        return _unit(self.speech(self.speech_mel(waveforms).unsqueeze(1)))


class WindowMel(nn.Module):
    """The log mel spectrogram of windows, from -1 at its floor to 1 at magnitude 1; gradients flow through it.

    As :func:`~chorale.media.audio.mel.log_mel`, for a batch: a window is reflected at its ends, and so says nothing of
    what is heard outside.

    Args:
        n_mels: Bins.
    """

    hann: Tensor
    filters: Tensor

    def __init__(self, n_mels: int) -> None:
        super().__init__()
        self.config = MelConfig(
            sample_rate_hz=SAMPLE_RATE_HZ,
            n_fft=_N_FFT,
            hop=_HOP,
            n_mels=n_mels,
            f_min_hz=_EDGES_HZ[0],
            f_max_hz=_EDGES_HZ[1],
        )
        self.register_buffer("hann", torch.hann_window(_N_FFT), persistent=False)
        self.register_buffer("filters", mel_filters(self.config), persistent=False)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Map ``(batch, samples)`` to ``(batch, n_mels, samples / 200)``."""
        margin = (_N_FFT - _HOP) // 2
        padded = F.pad(waveforms.float().unsqueeze(1), (margin, margin), mode="reflect").squeeze(1)
        spectrum = torch.stft(padded, _N_FFT, _HOP, window=self.hann, center=False, return_complex=True)
        mel = spectrum.abs().transpose(1, 2) @ self.filters
        floor = self.config.floor
        return 1.0 - 2.0 * mel.clamp_min(floor).log().transpose(1, 2) / math.log(floor)


class _Encoder(nn.Module):
    def __init__(self, inputs: int, width: int, halvings: int, places: int, embedding: int, norm: Norm) -> None:
        super().__init__()
        widths = [width * min(8, 2**level) for level in range(halvings + 1)]
        self.halving = nn.ModuleList(
            _normalised(before, after, 1 if level == 0 else 2, norm)
            for level, (before, after) in enumerate(zip([inputs, *widths[:-1]], widths, strict=True))
        )
        self.residual = nn.ModuleList(_normalised(each, each, 1, norm) for each in widths)
        self.output = nn.Linear(widths[-1] * places, embedding)
        self.last_norm = nn.LayerNorm(embedding)

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(batch, inputs, height, width)`` to ``(batch, embedding)``, none below 0."""
        for halving, residual in zip(self.halving, self.residual, strict=True):
            features = torch.relu(halving(features))
            features = torch.relu(features + residual(features))
        return torch.relu(self.last_norm(self.output(features.flatten(1))))


def _normalised(inputs: int, outputs: int, stride: int, norm: Norm) -> nn.Sequential:
    layer = nn.Conv2d(inputs, outputs, 3, stride, padding=1)
    return nn.Sequential(layer, normalisation(norm, outputs))


def _unit(embeddings: Tensor) -> Tensor:
    return F.normalize(embeddings.float(), dim=1)
