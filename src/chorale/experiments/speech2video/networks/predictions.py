"""What lies ahead, as CPC guesses it from a context: needed in its training alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Predictions(nn.Module):
    """A linear map for each step ahead (Oord et al. 2018, equation 3: ``W_k c_t``); CPC_audio's are transformers.

    Args:
        hidden: Of the contexts.
        channels: Of the latents.
        ahead: Steps.
    """

    def __init__(self, hidden: int = 256, channels: int = 256, ahead: int = 12) -> None:
        super().__init__()
        self.maps = nn.ModuleList(nn.Linear(hidden, channels, bias=False) for _ in range(ahead))

    def forward(self, contexts: Tensor) -> Tensor:
        """Map ``(batch, steps, hidden)`` to guesses ``(batch, steps, ahead, channels)`` of latents 1, 2 ... ahead."""
        return torch.stack([each(contexts) for each in self.maps], dim=2)
