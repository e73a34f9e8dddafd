"""A judge of lip sync that had no part in the training, by which LSE-D and LSE-C are measured."""

from __future__ import annotations

import itertools
from typing import Final

from torch import Tensor, nn

from chorale.experiments.speech2video.networks.layers import normalisation
from chorale.experiments.speech2video.networks.shapes import FrameSize
from chorale.experiments.speech2video.networks.sync_windows import WINDOW_FRAMES, WINDOW_SAMPLES, lower_half

_SPEECH: Final = ((11, 5), (9, 4), (9, 4), (5, 2))
"""Kernel and stride of each convolution: 20 steps are left of 3200 samples."""
# As for the context network: speech has a level of about -24 dB.
_GAIN: Final = 16.0
# The root's slope is unbounded at 0.
_SMALLEST: Final = 1e-12


class SyncJudge(nn.Module):
    """Embeddings whose Euclidean distance is small where lips and speech belong together (Chung and Zisserman 2016).

    The paper has none: our **choice**, so that what is reported was not judged by the network that the generator was
    trained against. It sees motion by convolutions over time as well as place, hears the waveform itself, and learns
    by the contrastive loss, where the sync expert stacks frames, hears a spectrogram, and learns by the cosine.

    Args:
        size: Of a frame.
        width: Channels of the first convolutions; those of faces double with each halving.
        embedding: Length.
    """

    def __init__(self, size: FrameSize, width: int = 32, embedding: int = 256) -> None:
        super().__init__()
        halvings = size.doublings - 1
        widths = [3, *(width * min(8, 2**level) for level in range(halvings))]
        layers: list[nn.Module] = []
        for level, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
            # Two convolutions without padding in time bring five frames to one.
            over = 3 if level < 2 else 1
            layers += [
                nn.Conv3d(inputs, outputs, (over, 3, 3), (1, 2, 2), padding=(0, 1, 1)),
                normalisation("group", outputs),
                nn.ReLU(),
            ]
        self.faces = nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[-1] * 24, embedding))
        layers, inputs, steps = [], 1, WINDOW_SAMPLES
        for level, (kernel, stride) in enumerate(_SPEECH):
            outputs, steps = width * 2 ** min(level, 2), steps // stride
            layers += [
                nn.Conv1d(inputs, outputs, kernel, stride, padding=kernel // 2),
                normalisation("group", outputs),
                nn.ReLU(),
            ]
            inputs = outputs
        self.speech = nn.Sequential(*layers, nn.Flatten(), nn.Linear(inputs * steps, embedding))

    def forward(self, frames: Tensor, waveforms: Tensor) -> Tensor:
        """Return the distance of each pair, ``(batch,)``; arguments as of the two methods below."""
        apart: Tensor = self.embed_faces(frames) - self.embed_speech(waveforms)
        return apart.square().sum(dim=1).clamp_min(_SMALLEST).sqrt()

    def embed_faces(self, frames: Tensor) -> Tensor:
        """Map whole frames ``(batch, 5, 3, height, width)`` in [-1, 1] to embeddings ``(batch, embedding)``.

        Raises:
            ValueError: A window has not five frames.
        """
        if frames.shape[1] != WINDOW_FRAMES:
            raise ValueError(f"windows of {WINDOW_FRAMES} frames were expected, not of {frames.shape[1]}")
        embeddings: Tensor = self.faces(lower_half(frames).transpose(1, 2))
        return embeddings

    def embed_speech(self, waveforms: Tensor) -> Tensor:
        """Map ``(batch, 3200)`` at 16 kHz to embeddings, likewise."""
        embeddings: Tensor = self.speech(_GAIN * waveforms.unsqueeze(1))
        return embeddings
