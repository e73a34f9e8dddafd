"""The whole network: symbols and the frames so far to mel frames and stop logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chorale.experiments.fedtts.config.network import NetworkConfig
from chorale.experiments.fedtts.network.decoder import Decoder
from chorale.experiments.fedtts.network.encoder import Encoder
from chorale.experiments.fedtts.network.naming import Depth
from chorale.experiments.fedtts.network.postnet import Postnet, StepOutput

if TYPE_CHECKING:
    from chorale.experiments.fedtts.corpus.batch import Batch


@dataclass(frozen=True)
class Outputs:
    """What the network says of a batch.

    Attributes:
        mel: ``(batch, frames, n_mels)``, of the decoder.
        refined: ``(batch, frames, n_mels)``, after the postnet.
        stop_logits: ``(batch, steps)``.
        attention: Of each decoder layer, ``(batch, heads, steps, symbols)``.
    """

    mel: Tensor
    refined: Tensor
    stop_logits: Tensor
    attention: list[Tensor]


class TransformerTts(nn.Module):
    """Transformer-TTS (Li et al. 2019) with pre-LN layers, of which any subset may exist.

    What it says of an utterance does not depend on the batch that this is in, nor on padding.

    Args:
        config: Sizes.
        n_symbols: Symbols, padding (number 0) included.
        n_mels: Bins of a frame.
        depth: The layers that exist.
    """

    def __init__(self, config: NetworkConfig, n_symbols: int, n_mels: int, depth: Depth) -> None:
        super().__init__()
        self.depth, self.n_mels = depth, n_mels
        self.embedding = nn.Embedding(n_symbols, config.width, padding_idx=0)
        self.encoder = Encoder(config, depth.encoder)
        self.decoder = Decoder(config, n_mels, depth.decoder)
        self.output = StepOutput(config.width, n_mels, config.reduction)
        self.postnet: Postnet | None = None
        if config.postnet:
            self.postnet = Postnet(n_mels, config.postnet, config.postnet_layers, config.kernel, config.dropout)

    def forward(self, batch: Batch, reduction: int) -> Outputs:
        """Predict each step from the true frames before it (teacher forcing).

        Args:
            batch: Frames padded to a multiple of ``reduction``.
            reduction: Mel frames per decoder step.

        Raises:
            ValueError: The frames are not a multiple of ``reduction``.
        """
        if batch.mel.shape[1] % reduction:
            raise ValueError(f"{batch.mel.shape[1]} frames are not a multiple of a reduction factor of {reduction}")
        memory, mask = self.encode(batch.symbols, batch.symbol_lengths)
        steps, attention = self.decoder(frames_before(batch.mel, reduction), memory, mask)
        mel, stop_logits = self.output(steps, reduction)
        return Outputs(mel, self.refine(mel, batch.mel_lengths), stop_logits, attention)

    def encode(self, symbols: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return memory ``(batch, symbols, width)`` and its mask ``(batch, symbols)``, False at padding."""
        mask = length_mask(lengths, symbols.shape[1])
        return self.encoder(self.embedding(symbols), mask), mask

    def refine(self, mel: Tensor, lengths: Tensor) -> Tensor:
        """Return ``(batch, frames, n_mels)`` after the postnet, if there is one."""
        if self.postnet is None:
            return mel
        result: Tensor = self.postnet(mel, length_mask(lengths, mel.shape[1]))
        return result


def frames_before(mel: Tensor, reduction: int) -> Tensor:
    """Return what each step is told ``(batch, steps, n_mels)``: the last frame of the step before, at first zeros."""
    return F.pad(mel[:, reduction - 1 :: reduction], (0, 0, 1, 0))[:, :-1]


def length_mask(lengths: Tensor, longest: int) -> Tensor:
    """Return ``(batch, longest)``, True up to each length."""
    return torch.arange(longest, device=lengths.device).unsqueeze(0) < lengths.unsqueeze(1)
