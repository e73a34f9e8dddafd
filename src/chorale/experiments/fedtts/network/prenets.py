"""What stands before the stacks: convolutions over symbols, two layers over mel frames."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chorale.training.dropout import SampleDropout


class FrameConvolution(nn.Module):
    """A convolution over time of ``(batch, time, channels)`` that never reads padding.

    Args:
        inputs: Channels.
        outputs: Channels.
        kernel: Places that it spans; odd.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(inputs, outputs, kernel, padding=kernel // 2)

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        """Map ``(batch, time, inputs)`` to ``(batch, time, outputs)``.

        Args:
            values: What is convolved.
            mask: ``(batch, time)``, False at padding, which counts as the zeros beyond an utterance's end.
        """
        result: Tensor = self.convolution(values.masked_fill(~mask.unsqueeze(2), 0.0).transpose(1, 2)).transpose(1, 2)
        return result


class ConvolutionLayer(nn.Module):
    """Convolution, normalisation, activation, dropout.

    Our choice: LayerNorm over the channels of each frame where Li et al. 2019 have batch normalisation, whose
    statistics would differ between clients and depend on padding.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.convolution = FrameConvolution(inputs, outputs, kernel)
        self.normalisation = nn.LayerNorm(outputs)
        self.dropout = SampleDropout(dropout)

    def forward(self, values: Tensor, mask: Tensor, activation: nn.Module) -> Tensor:
        """Map ``(batch, time, inputs)`` to ``(batch, time, outputs)``; ``mask`` as in :class:`FrameConvolution`."""
        result: Tensor = self.dropout(activation(self.normalisation(self.convolution(values, mask))))
        return result


class EncoderPrenet(nn.Module):
    """Convolutions with ReLU over embedded symbols, and an affine layer after them (Li et al. 2019, section 3.4).

    The affine layer brings values around 0 back, where the positions' are.

    Args:
        width: Of input and output.
        channels: Of the convolutions.
        layers: How many of them.
        kernel: Symbols that each spans; odd.
        dropout: Share that training drops after each.
    """

    def __init__(self, width: int, channels: int, layers: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.activation = nn.ReLU()
        widths = [width, *[channels] * layers]
        self.layers = nn.ModuleList(ConvolutionLayer(inputs, channels, kernel, dropout) for inputs in widths[:layers])
        self.projection = nn.Linear(widths[-1], width)

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        """Map ``(batch, symbols, width)`` to the same shape."""
        for layer in self.layers:
            values = layer(values, mask, self.activation)
        result: Tensor = self.projection(values)
        return result


class DecoderPrenet(nn.Module):
    """Two affine layers with ReLU and dropout, and an affine layer after them (Li et al. 2019, section 3.5).

    Our choice: the dropout is off when the network speaks, so that it says the same each time; Tacotron 2 keeps it.

    Args:
        n_mels: Bins of a frame.
        hidden: Width of the two layers.
        width: Of the output.
        dropout: Share that training drops after each of the two.
    """

    def __init__(self, n_mels: int, hidden: int, width: int, dropout: float) -> None:
        super().__init__()
        self.first = nn.Linear(n_mels, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.projection = nn.Linear(hidden, width)
        self.first_dropout = SampleDropout(dropout)
        self.second_dropout = SampleDropout(dropout)

    def forward(self, frames: Tensor) -> Tensor:
        """Map ``(batch, steps, n_mels)`` to ``(batch, steps, width)``."""
        hidden = self.first_dropout(torch.relu(self.first(frames)))
        result: Tensor = self.projection(self.second_dropout(torch.relu(self.second(hidden))))
        return result
