"""Contrastive predictive coding of a raw waveform: what the student and the generator hear (**figure**: CPC)."""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from chorale.experiments.speech2video.networks.shapes import STEP_SAMPLES, STEPS_PER_FRAME

_KERNELS: Final = (10, 8, 4, 4, 4)
_STRIDES: Final = (5, 4, 2, 2, 2)
# Speech has a level of about -24 dB: brought near 1, it is not drowned in the first layer's biases.
_GAIN: Final = 16.0


class Encoded(NamedTuple):
    """What the network makes of a waveform.

    Attributes:
        latents: z, ``(batch, steps, channels)``.
        contexts: c, ``(batch, steps, hidden)``.
    """

    latents: Tensor
    contexts: Tensor


class StreamState(NamedTuple):
    """What is kept between two pieces of one waveform, the same for any length.

    Attributes:
        heard: The last inputs of each convolution, ``(batch, channels, kernel - stride)``.
        memory: Of the LSTM: output and cell, each ``(1, batch, hidden)``.
    """

    heard: list[Tensor]
    memory: tuple[Tensor, Tensor]


class ContextNetwork(nn.Module):
    """Five convolutions to 100 latents a second, then an LSTM over them (Oord et al. 2018; Rivière et al. 2020).

    That CPC makes context vectors of a raw waveform is the paper's (**figure**); kernels, strides and sizes are those
    of CPC_audio, whose normalisation over the channels of each step is kept too (our **choice**, after the paper
    notes). Convolutions see the past alone, where CPC_audio's see a few milliseconds ahead: so context t is a function
    of the sound until its step's end, and a stream gives the same numbers as the whole. That the waveform is first made
    louder is our choice too.

    Args:
        channels: Of the latents.
        hidden: Of the contexts.
    """

    def __init__(self, channels: int = 256, hidden: int = 256) -> None:
        super().__init__()
        inputs = (1, *[channels] * (len(_KERNELS) - 1))
        self.convolutions = nn.ModuleList(
            nn.Conv1d(each, channels, kernel, stride)
            for each, kernel, stride in zip(inputs, _KERNELS, _STRIDES, strict=True)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in _KERNELS)
        self.recurrent = nn.LSTM(channels, hidden, batch_first=True)
        self.hidden = hidden

    def forward(self, waveform: Tensor) -> Encoded:
        """Map ``(batch, 160 * steps)`` to latents and contexts of each step.

        Raises:
            ValueError: The samples are no whole number of steps.
        """
        encoded, _ = self.stream(waveform, None)
        return encoded

    def stream(self, waveform: Tensor, state: StreamState | None) -> tuple[Encoded, StreamState]:
        """Go on with a waveform.

        Args:
            waveform: The next piece, ``(batch, 160 * steps)``.
            state: What the piece before returned; None at the begin, before which zeros stand.

        Raises:
            ValueError: The samples are no whole number of steps.
        """
        if waveform.dim() != 2 or waveform.shape[1] % STEP_SAMPLES or not waveform.shape[1]:
            raise ValueError(f"(batch, a multiple of {STEP_SAMPLES}) was expected, not {tuple(waveform.shape)}")
        features, heard = _GAIN * waveform.unsqueeze(1), []
        for index, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            past = _KERNELS[index] - _STRIDES[index]
            before = features.new_zeros(*features.shape[:2], past) if state is None else state.heard[index]
            features = torch.cat([before, features], dim=2)
            heard.append(features[:, :, features.shape[2] - past :])
            features = torch.relu(norm(convolution(features).transpose(1, 2))).transpose(1, 2)
        latents = features.transpose(1, 2)
        contexts, memory = self.recurrent(latents, None if state is None else state.memory)
        return Encoded(latents, contexts), StreamState(heard, memory)


def contexts_of_frames(contexts: Tensor) -> Tensor:
    """Return the context of each video frame ``(batch, frames, hidden)``: that of the last step while it is shown.

    So a frame's context has heard the sound up to the frame's end (every fourth of them: **choice**, after the paper
    notes).

    Args:
        contexts: ``(batch, 4 * frames, hidden)``.
    """
    return contexts[:, STEPS_PER_FRAME - 1 :: STEPS_PER_FRAME]
