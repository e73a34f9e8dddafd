"""Memory and the frames so far to the next step: all steps at once in training, one at a time in synthesis."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from chorale.experiments.fedtts.config.network import NetworkConfig
from chorale.experiments.fedtts.network.attention import FeedForward, KeyValues, MultiHeadAttention
from chorale.experiments.fedtts.network.positions import ScaledPositions
from chorale.experiments.fedtts.network.prenets import DecoderPrenet
from chorale.training.dropout import SampleDropout


@dataclass
class DecoderCache:
    """What a decoder that goes step by step need not compute again.

    Attributes:
        memory: Of each layer, keys and values of the encoder's output.
        past: Of each layer, keys and values of the steps done; empty before the first.
        steps: Steps done.
    """

    memory: list[KeyValues]
    past: list[KeyValues] = field(default_factory=list)
    steps: int = 0


class DecoderLayer(nn.Module):
    """Causal self-attention, attention to the memory, feed-forward, each as ``x + f(LayerNorm(x))`` (pre-LN)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.self_attention_norm = nn.LayerNorm(config.width)
        self.self_attention = MultiHeadAttention(config.width, config.heads)
        self.cross_attention_norm = nn.LayerNorm(config.width)
        self.cross_attention = MultiHeadAttention(config.width, config.heads)
        self.feed_forward_norm = nn.LayerNorm(config.width)
        self.feed_forward = FeedForward(config.width, config.feed_forward, config.dropout)
        self.self_attention_dropout = SampleDropout(config.dropout)
        self.cross_attention_dropout = SampleDropout(config.dropout)
        self.feed_forward_dropout = SampleDropout(config.dropout)

    def forward(self, values: Tensor, memory: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Map all steps at once.

        Padding at the end of the steps needs no mask: no step before it sees it.

        Args:
            values: ``(batch, steps, width)``.
            memory: ``(batch, symbols, width)``.
            mask: ``(batch, symbols)``, False at padding.

        Returns:
            ``(batch, steps, width)``, and attention to the memory ``(batch, heads, steps, symbols)``.
        """
        normal = self.self_attention_norm(values)
        found = self.self_attention(normal, self.self_attention.project(normal), causal=True)
        return self._above(values + self.self_attention_dropout(found), self.cross_attention.project(memory), mask)

    def step(self, value: Tensor, memory: KeyValues, past: KeyValues | None) -> tuple[Tensor, Tensor, KeyValues]:
        """Map one step ``(batch, 1, width)``; returns besides the past that now includes it."""
        normal = self.self_attention_norm(value)
        keys, values = self.self_attention.project(normal)
        if past is not None:
            keys, values = torch.cat([past[0], keys], dim=2), torch.cat([past[1], values], dim=2)
        result, weights = self._above(value + self.self_attention(normal, (keys, values)), memory, None)
        return result, weights, (keys, values)

    def _above(self, values: Tensor, memory: KeyValues, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        found, weights = self.cross_attention.with_weights(self.cross_attention_norm(values), memory, mask)
        values = values + self.cross_attention_dropout(found)
        return values + self.feed_forward_dropout(self.feed_forward(self.feed_forward_norm(values))), weights


class Decoder(nn.Module):
    """Prenet, positions and those layers that exist.

    Args:
        config: Sizes.
        n_mels: Bins of a frame.
        layers: Ids of the layers that exist; they work in rising order.
    """

    def __init__(self, config: NetworkConfig, n_mels: int, layers: Iterable[int]) -> None:
        super().__init__()
        self.prenet = DecoderPrenet(n_mels, config.decoder_prenet, config.width, config.prenet_dropout)
        self.positions = ScaledPositions(config.width, config.dropout)
        self.layers = nn.ModuleDict({str(layer): DecoderLayer(config) for layer in sorted(layers)})
        self.norm = nn.LayerNorm(config.width)

    def forward(self, frames: Tensor, memory: Tensor, mask: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Map the frame before each step to the step.

        Args:
            frames: ``(batch, steps, n_mels)``, the last frame of the step before.
            memory: ``(batch, symbols, width)``.
            mask: ``(batch, symbols)``, False at padding.

        Returns:
            ``(batch, steps, width)``, and each layer's attention ``(batch, heads, steps, symbols)``.
        """
        values = self.positions(self.prenet(frames))
        attention = []
        for layer in self.layers.values():
            values, weights = layer(values, memory, mask)
            attention.append(weights)
        return self.norm(values), attention

    def start(self, memory: Tensor) -> DecoderCache:
        """Return the cache for going step by step over ``memory`` ``(1, symbols, width)``, without padding."""
        return DecoderCache([layer.cross_attention.project(memory) for layer in self._layers()])

    def step(self, frame: Tensor, cache: DecoderCache) -> tuple[Tensor, list[Tensor]]:
        """Return what :meth:`forward` returns for the next step alone.

        Args:
            frame: ``(1, 1, n_mels)``, the last frame of the step before.
            cache: From :meth:`start`; goes on with this step.
        """
        values = self.positions(self.prenet(frame), first=cache.steps)
        attention, past = [], []
        for index, layer in enumerate(self._layers()):
            before = cache.past[index] if cache.past else None
            values, weights, after = layer.step(values, cache.memory[index], before)
            attention.append(weights)
            past.append(after)
        cache.past, cache.steps = past, cache.steps + 1
        return self.norm(values), attention

    def _layers(self) -> list[DecoderLayer]:
        return [layer for layer in self.layers.values() if isinstance(layer, DecoderLayer)]
