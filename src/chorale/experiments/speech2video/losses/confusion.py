"""A classifier is to find nothing: what a representation without a leak is trained with."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def confusion(logits: Tensor) -> Tensor:
    """Return ``-Σ_i mean_c log softmax(l_i)_c``: cross-entropy against uniform (Tzeng et al. 2015, equation 3).

    Its least value is ``log(classes)`` a sample, where every class is as likely. They alternate: the classifier learns
    with its own loss while the features stand still, then the features with this one while the classifier stands still.
    To be divided by the samples of the global batch.

    Args:
        logits: ``(batch, classes)``, of a classifier whose weights take no gradient in this step.
    """
    return -F.log_softmax(logits.float(), dim=1).mean(dim=1).sum()
