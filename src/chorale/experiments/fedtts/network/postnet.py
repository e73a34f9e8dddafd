"""What stands after the decoder: frames and stop logits of a step, and a residual over frames."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from chorale.experiments.fedtts.network.prenets import ConvolutionLayer, FrameConvolution


class FirstRows(nn.Linear):
    """An affine layer of which a call may use the first rows only."""

    def forward(self, values: Tensor, rows: int | None = None) -> Tensor:
        """Map ``(..., inputs)`` to ``(..., rows)``."""
        return F.linear(values, self.weight[:rows], self.bias[:rows])


class StepOutput(nn.Module):
    """Mel frames and the stop logit of each decoder step (Li et al. 2019, section 3.7).

    Args:
        width: Of the decoder.
        n_mels: Bins of a frame.
        reduction: Most frames per step.
    """

    def __init__(self, width: int, n_mels: int, reduction: int) -> None:
        super().__init__()
        self.n_mels = n_mels
        self.mel = FirstRows(width, n_mels * reduction)
        self.stop = nn.Linear(width, 1)

    def forward(self, steps: Tensor, reduction: int) -> tuple[Tensor, Tensor]:
        """Map ``(batch, steps, width)`` to frames ``(batch, steps * reduction, n_mels)``, logits ``(batch, steps)``."""
        batch, count, _ = steps.shape
        mel = self.mel(steps, reduction * self.n_mels).view(batch, count * reduction, self.n_mels)
        return mel, self.stop(steps).squeeze(2)


class Postnet(nn.Module):
    """A residual computed by convolutions with tanh, the last one bare (Shen et al. 2018, section 2.2).

    Args:
        n_mels: Bins of a frame.
        channels: Of the convolutions between.
        layers: Convolutions, at least 2.
        kernel: Frames that each spans; odd.
        dropout: Share that training drops after each but the last.
    """

    def __init__(self, n_mels: int, channels: int, layers: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.activation = nn.Tanh()
        widths = [n_mels, *[channels] * (layers - 1)]
        self.layers = nn.ModuleList(ConvolutionLayer(inputs, channels, kernel, dropout) for inputs in widths[:-1])
        self.last = FrameConvolution(channels, n_mels, kernel)

    def forward(self, mel: Tensor, mask: Tensor) -> Tensor:
        """Map frames ``(batch, frames, n_mels)`` to better ones; ``mask`` ``(batch, frames)`` is False at padding."""
        values = mel
        for layer in self.layers:
            values = layer(values, mask, self.activation)
        result: Tensor = mel + self.last(values, mask)
        return result
