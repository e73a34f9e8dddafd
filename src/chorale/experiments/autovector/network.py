"""The x-vector family: time-delay layers over frames, pooling over time, one affine layer to the embedding."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chorale.experiments.autovector.architecture import Architecture, FrameLayer
from chorale.ranks.batch_norm import GlobalBatchNorm1d
from chorale.training.dropout import SampleDropout

_VARIANCE_FLOOR = 1e-6
"""The root's slope is unbounded at 0, and a channel that ReLU has silenced has variance 0."""


class TimeDelayLayer(nn.Module):
    """Convolution, ReLU, batch normalisation (the order of Kaldi's x-vector), plus the input where the genome skips.

    Our choice: the convolution is padded with zeros and keeps the number of frames, so that every genome takes every
    utterance; where a skip joins different widths, a convolution of kernel 1 without bias projects the input.
    """

    def __init__(self, layer: FrameLayer) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(
            layer.inputs,
            layer.outputs,
            layer.kernel,
            dilation=layer.dilation,
            padding=layer.dilation * (layer.kernel // 2),
        )
        self.normalisation = GlobalBatchNorm1d(layer.outputs)
        self.skip = layer.skip
        self.projection = nn.Conv1d(layer.inputs, layer.outputs, 1, bias=False) if layer.projected else None

    def forward(self, frames: Tensor) -> Tensor:
        """Map ``(batch, inputs, time)`` to ``(batch, outputs, time)``."""
        result: Tensor = self.normalisation(torch.relu(self.convolution(frames)))
        if not self.skip:
            return result
        return result + (frames if self.projection is None else self.projection(frames))


class MeanPooling(nn.Module):
    """The mean over time."""

    def forward(self, frames: Tensor) -> Tensor:
        """Map ``(batch, width, time)`` to ``(batch, width)``."""
        return frames.mean(dim=2)


class StatisticsPooling(nn.Module):
    """Mean and standard deviation over time (Snyder et al. 2018, x-vectors)."""

    def forward(self, frames: Tensor) -> Tensor:
        """Map ``(batch, width, time)`` to ``(batch, 2 width)``."""
        mean = frames.mean(dim=2)
        variance = (frames - mean.unsqueeze(2)).square().mean(dim=2)
        return torch.cat([mean, variance.clamp_min(_VARIANCE_FLOOR).sqrt()], dim=1)


class AttentiveStatisticsPooling(nn.Module):
    """Mean and standard deviation under attention (Okabe et al. 2018, equations 3 to 6, with ReLU).

    ``e_t = v' relu(W h_t + b) + k``, ``a = softmax(e)`` over time, ``mean = Σ a_t h_t``, and
    ``std² = Σ a_t h_t² - mean²``, here summed as ``Σ a_t (h_t - mean)²``, which does not cancel.
    """

    def __init__(self, width: int, attention: int) -> None:
        super().__init__()
        self.hidden = nn.Conv1d(width, attention, 1)
        self.energy = nn.Conv1d(attention, 1, 1)

    def forward(self, frames: Tensor) -> Tensor:
        """Map ``(batch, width, time)`` to ``(batch, 2 width)``."""
        weights = torch.softmax(self.energy(torch.relu(self.hidden(frames))), dim=2)
        mean = (weights * frames).sum(dim=2)
        variance = (weights * (frames - mean.unsqueeze(2)).square()).sum(dim=2)
        return torch.cat([mean, variance.clamp_min(_VARIANCE_FLOOR).sqrt()], dim=1)


class SpeakerNetwork(nn.Module):
    """Frames in, one embedding out: the first affine layer after pooling, as in Kaldi.

    Args:
        sizes: Of its layers.
        dropout: Share of the pooled values that training drops; our choice of the place.
    """

    def __init__(self, sizes: Architecture, dropout: float = 0.0) -> None:
        super().__init__()
        self.frames = nn.Sequential(*(TimeDelayLayer(layer) for layer in sizes.layers))
        self.pooling = _pooling(sizes)
        self.dropout = SampleDropout(dropout)
        self.embedding = nn.Linear(sizes.pooled_width, sizes.embedding)

    def forward(self, features: Tensor) -> Tensor:
        """Map features ``(batch, time, n_features)`` to embeddings ``(batch, embedding)``."""
        embedding: Tensor = self.embedding(self.dropout(self.pooling(self.frames(features.transpose(1, 2)))))
        return embedding


def _pooling(sizes: Architecture) -> nn.Module:
    if sizes.pooling == "mean":
        return MeanPooling()
    if sizes.pooling == "statistics":
        return StatisticsPooling()
    return AttentiveStatisticsPooling(sizes.frame_width, sizes.attention)
