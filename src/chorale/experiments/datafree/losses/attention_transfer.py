"""The student is to look where the teacher looks (ZSKT's second term)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def attention_transfer(students: Sequence[Tensor], teachers: Sequence[Tensor]) -> Tensor:
    """Return ``Σ_l Σ_i mean_p (q(s_li)_p - q(t_li)_p)²`` over places p (Zagoruyko and Komodakis 2017).

    ``q(a)`` is the mean over channels of ``relu(a)²`` at each place, divided by its L2 norm over places. In their paper
    the norm of the difference counts; its square and the mean over places are those of their code and of ZSKT's
    (Micaelli and Storkey 2019), whose weight of 250 belongs to it. To be divided by the images of the global batch.

    Args:
        students: Pre-activations, shallow to deep, each ``(batch, channels, height, width)``; channels may differ.
        teachers: Likewise, each of the student's height and width.

    Raises:
        ValueError: A pair differs in height or width, or has none.
    """
    pairs = zip(students, teachers, strict=True)
    return torch.stack([(_attention(*pair) - _attention(*pair[::-1])).square().mean(1).sum() for pair in pairs]).sum()


def _attention(features: Tensor, partner: Tensor) -> Tensor:
    if features.dim() != 4 or features.shape[2:] != partner.shape[2:]:
        raise ValueError(f"no attention maps of one size: {tuple(features.shape)} and {tuple(partner.shape)}")
    return F.normalize(torch.relu(features.float()).square().mean(dim=1).flatten(1))
