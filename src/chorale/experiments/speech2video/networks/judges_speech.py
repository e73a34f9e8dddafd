"""A judge of speech that had no part in the training: what a listener who is told the labels makes of a recording."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

_VARIANCE_FLOOR: Final = 1e-6
"""The root's slope is unbounded at 0, and a channel that ReLU has silenced has variance 0."""
_LAYERS: Final = ((5, 1), (3, 2), (3, 3), (1, 1))
"""Kernel and dilation of each: 15 frames are heard at once, as by the x-vector."""


class SpeechJudge(nn.Module):
    """Time-delay layers over a log mel spectrogram, mean and deviation over time, then logits (Snyder et al. 2018).

    The paper has none: our **choice**, to tell how much of an emotion or a speaker can be heard at all, beside which
    the student's accuracy is read. It shares nothing with CPC, not even the waveform. Kernels are the x-vector's;
    normalisation is over the channels of each frame, so that no other utterance of a batch matters.

    Args:
        classes: Speakers or emotions.
        n_mels: Of the spectrogram.
        width: Of each layer.
    """

    def __init__(self, classes: int, n_mels: int = 80, width: int = 256) -> None:
        super().__init__()
        inputs = (n_mels, *[width] * (len(_LAYERS) - 1))
        self.convolutions = nn.ModuleList(
            nn.Conv1d(each, width, kernel, dilation=dilation, padding=dilation * (kernel // 2))
            for each, (kernel, dilation) in zip(inputs, _LAYERS, strict=True)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in _LAYERS)
        self.embedding = nn.Linear(2 * width, width)
        self.output = nn.Linear(width, classes)

    def forward(self, mel: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map log mel spectrograms to logits ``(batch, classes)``.

        Args:
            mel: ``(batch, frames, n_mels)``, at least one frame.
            lengths: Frames of each utterance that count, ``(batch,)``; all of them if None. An utterance is judged the
                same however far it is padded, and with whatever.
        """
        logits: Tensor = self.output(torch.relu(self.embed(mel, lengths)))
        return logits

    def embed(self, mel: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map the same to embeddings ``(batch, width)``, by which voices are compared."""
        counted = _counted(mel, lengths)
        frames = mel
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            # What lies beyond an utterance's end must be what a convolution's own padding is: zeros.
            inputs = frames.masked_fill(~counted, 0.0).transpose(1, 2)
            frames = norm(torch.relu(convolution(inputs)).transpose(1, 2))
        embedding: Tensor = self.embedding(_statistics(frames, counted))
        return embedding


def _counted(mel: Tensor, lengths: Tensor | None) -> Tensor:
    """Return which frames count, ``(batch, frames, 1)``."""
    if lengths is None:
        return mel.new_ones((*mel.shape[:2], 1), dtype=torch.bool)
    return (torch.arange(mel.shape[1], device=mel.device) < lengths.unsqueeze(1)).unsqueeze(2)


def _statistics(frames: Tensor, counted: Tensor) -> Tensor:
    """Return mean and standard deviation over the frames that count, ``(batch, 2 * width)``."""
    count = counted.sum(dim=1)
    mean = frames.masked_fill(~counted, 0.0).sum(dim=1) / count
    apart = (frames - mean.unsqueeze(1)).masked_fill(~counted, 0.0)
    variance = apart.square().sum(dim=1) / count
    return torch.cat([mean, variance.clamp_min(_VARIANCE_FLOOR).sqrt()], dim=1)
