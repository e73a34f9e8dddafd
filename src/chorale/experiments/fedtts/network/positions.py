"""Scaled sinusoidal positions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chorale.training.dropout import SampleDropout

_LONGEST_WAVE = 10000.0


class ScaledPositions(nn.Module):
    """``x + alpha PE`` with a trained alpha that starts at 1 (Li et al. 2019, section 3.3), then dropout.

    Args:
        width: Of the values.
        dropout: Share of the sums that training drops.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.width = width
        self.alpha = nn.Parameter(torch.ones(1))
        self.dropout = SampleDropout(dropout)

    def forward(self, values: Tensor, first: int = 0) -> Tensor:
        """Add positions to ``(batch, time, width)`` whose first place is number ``first``."""
        places = sinusoids(first, values.shape[1], self.width, values.device)
        result: Tensor = self.dropout(values + self.alpha * places)
        return result


def sinusoids(first: int, length: int, width: int, device: torch.device) -> Tensor:
    """Return ``(length, width)`` from place ``first`` on.

    ``PE(p, 2i) = sin(p / 10000^(2i / width))`` and ``PE(p, 2i + 1)`` the cosine (Vaswani et al. 2017, section 3.5).
    """
    places = torch.arange(first, first + length, dtype=torch.float32, device=device).unsqueeze(1)
    evens = torch.arange(0, width, 2, dtype=torch.float32, device=device)
    angles = places * _LONGEST_WAVE ** (-evens / width)
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :width]
