"""Which class: what teachers, judges and probes learn by."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def classification(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return ``-Σ_i Σ_c q_ic log softmax(l_i)_c``, q being ``1 - s`` at the label plus ``s / classes`` everywhere.

    Smoothing is that of Szegedy et al. 2016, section 7; of 0 it is the cross-entropy. Before a probe whose input's
    gradient is reversed (Ganin and Lempitsky 2015, equation 13) this same loss makes the features hide the label. To be
    divided by the samples of the global batch.

    Args:
        logits: ``(batch, classes)``.
        labels: ``(batch,)``.
        smoothing: s.
    """
    return F.cross_entropy(logits.float(), labels, reduction="sum", label_smoothing=smoothing)


def hits(logits: Tensor, labels: Tensor) -> Tensor:
    """Return how many samples are told right, as :func:`classification` is summed; arguments as of it."""
    return (logits.argmax(dim=1) == labels).sum()
