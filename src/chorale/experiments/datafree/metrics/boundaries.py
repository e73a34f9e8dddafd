"""Whether the student's neurons are active where the teacher's are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


@torch.no_grad()
def boundary_mismatch(students: Sequence[Tensor], teachers: Sequence[Tensor]) -> list[float]:
    """Return for each tap ``Σ_i mean_n [(s_in > 0) xor (t_in > 0)]`` (Heo et al. 2019, activation transfer loss).

    Divided by the number of images it is the share of neurons on the wrong side of their boundary: 0 where all
    boundaries coincide, 1/2 for a student that knows nothing of a teacher whose neurons are active half of the time.

    Args:
        students: Pre-activations, shallow to deep, each ``(batch, ...)`` of the teacher's shape, through connectors.
        teachers: Likewise.
    """
    return [
        float(((ours > 0) != (theirs > 0)).flatten(1).double().mean(dim=1).sum())
        for ours, theirs in zip(students, teachers, strict=True)
    ]
