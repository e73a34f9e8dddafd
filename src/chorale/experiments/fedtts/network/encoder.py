"""Symbols to memory."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from chorale.experiments.fedtts.config.network import NetworkConfig
from chorale.experiments.fedtts.network.attention import FeedForward, MultiHeadAttention
from chorale.experiments.fedtts.network.positions import ScaledPositions
from chorale.experiments.fedtts.network.prenets import EncoderPrenet
from chorale.training.dropout import SampleDropout


class EncoderLayer(nn.Module):
    """Self-attention and feed-forward, each as ``x + f(LayerNorm(x))`` (pre-LN: Xiong et al. 2020, figure 1b)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width)
        self.attention = MultiHeadAttention(config.width, config.heads)
        self.feed_forward_norm = nn.LayerNorm(config.width)
        self.feed_forward = FeedForward(config.width, config.feed_forward, config.dropout)
        self.attention_dropout = SampleDropout(config.dropout)
        self.feed_forward_dropout = SampleDropout(config.dropout)

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        """Map ``(batch, symbols, width)`` to the same shape; ``mask`` ``(batch, symbols)`` is False at padding."""
        normal = self.attention_norm(values)
        values = values + self.attention_dropout(self.attention(normal, self.attention.project(normal), mask))
        result: Tensor = values + self.feed_forward_dropout(self.feed_forward(self.feed_forward_norm(values)))
        return result


class Encoder(nn.Module):
    """Prenet, positions and those layers that exist.

    Args:
        config: Sizes.
        layers: Ids of the layers that exist; they work in rising order.
    """

    def __init__(self, config: NetworkConfig, layers: Iterable[int]) -> None:
        super().__init__()
        self.prenet: EncoderPrenet | None = None
        if config.encoder_prenet:
            self.prenet = EncoderPrenet(
                config.width, config.encoder_prenet, config.encoder_prenet_layers, config.kernel, config.dropout
            )
        self.positions = ScaledPositions(config.width, config.dropout)
        self.layers = nn.ModuleDict({str(layer): EncoderLayer(config) for layer in sorted(layers)})
        self.norm = nn.LayerNorm(config.width)

    def forward(self, embedded: Tensor, mask: Tensor) -> Tensor:
        """Map embedded symbols to memory.

        Args:
            embedded: ``(batch, symbols, width)``.
            mask: ``(batch, symbols)``, False at padding.

        Returns:
            ``(batch, symbols, width)``.
        """
        values = embedded if self.prenet is None else self.prenet(embedded, mask)
        values = self.positions(values)
        for layer in self.layers.values():
            values = layer(values, mask)
        result: Tensor = self.norm(values)
        return result
