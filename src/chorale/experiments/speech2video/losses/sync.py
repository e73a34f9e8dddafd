"""Whether lips and speech belong together: what the expert, the judge and the generator learn by."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

_SURE: Final = 1e-6
"""Cosines are kept so far from 0 and 1, where a logarithm has no end."""


def sync_cross_entropy(cosine: Tensor, together: Tensor) -> Tensor:
    """Return ``-Σ y log P + (1 - y) log (1 - P)``, P the cosine of embeddings that have no negative values.

    Prajwal et al. 2020, equation 1 for P and 2 for the generator, whose pairs all are to be together: it gives ones for
    ``together``. To be divided by the pairs of the global batch.

    Args:
        cosine: P of each pair, ``(batch,)``.
        together: y: 1 where the pair is of one moment, else 0, ``(batch,)``.
    """
    sure = cosine.float().clamp(_SURE, 1.0 - _SURE)
    return -torch.where(together.bool(), sure.log(), (1.0 - sure).log()).sum()


def sync_hits(cosine: Tensor, together: Tensor) -> Tensor:
    """Return how many pairs are told right, with P above a half for together; arguments as above."""
    return ((cosine > 0.5) == together.bool()).sum()


def contrastive(distance: Tensor, together: Tensor, margin: float) -> Tensor:
    """Return ``Σ (y d² + (1 - y) max(margin - d, 0)²) / 2`` (Chung and Zisserman 2016, equation 1).

    Pairs of one moment are drawn together, others pushed apart as far as the margin. To be divided by the pairs of the
    global batch.

    Args:
        distance: d of each pair, ``(batch,)``.
        together: y, as above.
        margin: Of the same scale as the distances.
    """
    apart = distance.float()
    return 0.5 * torch.where(together.bool(), apart.square(), (margin - apart).clamp_min(0.0).square()).sum()
