"""Multi-head attention and the feed-forward part of a layer (Vaswani et al. 2017, sections 3.2 and 3.3)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chorale.training.dropout import SampleDropout

KeyValues = tuple[Tensor, Tensor]
"""Keys and values of all heads, each ``(batch, heads, time, width / heads)``."""


class MultiHeadAttention(nn.Module):
    """``softmax(Q K' / sqrt(d)) V`` per head (Vaswani et al. 2017, equation 1), between four affine layers.

    Our choice: no dropout on the weights, since a mask over ``(queries, keys)`` would depend on the padding; and no
    bias on keys, which softmax cancels: its gradient would be rounding errors alone, and Adam makes whole steps of
    those.

    Args:
        width: Of input and output.
        heads: They share the width.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def project(self, memory: Tensor) -> KeyValues:
        """Return keys and values of ``(batch, time, width)``."""
        return self._split(self.key(memory)), self._split(self.value(memory))

    def forward(self, queries: Tensor, memory: KeyValues, mask: Tensor | None = None, causal: bool = False) -> Tensor:
        """Return what the queries find.

        Args:
            queries: ``(batch, queries, width)``.
            memory: From :meth:`project`.
            mask: ``(batch, keys)``, True where a key may be seen; all may if not given.
            causal: A query sees keys up to its own place only.

        Returns:
            ``(batch, queries, width)``.
        """
        seen = None if mask is None else mask[:, None, None, :]
        found = F.scaled_dot_product_attention(
            self._split(self.query(queries)), *memory, attn_mask=seen, is_causal=causal
        )
        return self._joined(found)

    def with_weights(self, queries: Tensor, memory: KeyValues, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return what :meth:`forward` does, and the weights ``(batch, heads, queries, keys)`` in fp32."""
        keys, values = memory
        split = self._split(self.query(queries))
        scores = (split @ keys.transpose(2, 3)).float() / split.shape[-1] ** 0.5
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, None, :], float("-inf"))
        weights = torch.softmax(scores, dim=-1)
        return self._joined(weights.to(values.dtype) @ values), weights

    def _split(self, values: Tensor) -> Tensor:
        batch, time, width = values.shape
        return values.view(batch, time, self.heads, width // self.heads).transpose(1, 2)

    def _joined(self, values: Tensor) -> Tensor:
        result: Tensor = self.output(values.transpose(1, 2).flatten(2))
        return result


class FeedForward(nn.Module):
    """``max(0, x W1 + b1) W2 + b2`` (Vaswani et al. 2017, equation 2), with dropout within."""

    def __init__(self, width: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, inner)
        self.dropout = SampleDropout(dropout)
        self.output = nn.Linear(inner, width)

    def forward(self, values: Tensor) -> Tensor:
        """Map ``(batch, time, width)`` to the same shape."""
        result: Tensor = self.output(self.dropout(torch.relu(self.hidden(values))))
        return result
