"""What DAFL asks of a generator (Chen et al. 2019, "Data-free learning of student networks").

The three terms stand in their section "GAN for Generating Training Samples".
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def one_hot(logits: Tensor) -> Tensor:
    """Return ``Σ_i CE(t_i, argmax t_i)``: the teacher is to be sure of each image (Chen et al. 2019, one-hot loss).

    To be divided by the images of the global batch.

    Args:
        logits: The teacher's, ``(batch, classes)``.
    """
    return F.cross_entropy(logits.float(), logits.argmax(dim=1), reduction="sum")


def activation(features: Tensor) -> Tensor:
    """Return ``-Σ_i mean_n |f_in|``: images are to excite the teacher (Chen et al. 2019, activation loss).

    Mean over neurons as in their code; the paper has the L1 norm. To be divided by the images of the global batch.

    Args:
        features: What the teacher's last layer reads, ``(batch, ...)``. Where that is a mean over places after ReLU,
            the map before the mean gives the same: of LeNet-5 and the ResNets, ReLU of the deepest tap.
    """
    return -features.float().abs().flatten(1).mean(dim=1).sum()


def information_entropy(global_probabilities: Tensor, total: int, samples: int) -> Tensor:
    """Return ``Σ_c p_c log p_c`` for each of this rank's samples, p the MEAN prediction of the GLOBAL batch.

    Classes are to be equally frequent (Chen et al. 2019, information entropy loss). Natural logarithm; their code has
    log10, so a weight of theirs is to be divided by 2.303. To be divided by the images of the global batch: then the
    ranks' losses sum to the batch's.

    Args:
        global_probabilities: ``sum_over_ranks(softmax(t).sum(0))``, through which gradients flow, ``(classes,)``.
        total: Images of the global batch.
        samples: Images of this rank's slice.
    """
    mean = global_probabilities.float() / total
    # A class that no image has any probability of would have a slope of minus infinity.
    return samples * (mean * mean.clamp_min(torch.finfo(mean.dtype).tiny).log()).sum()


def prediction_entropy(logits: Tensor) -> Tensor:
    """Return ``-Σ_i Σ_c p_ic log p_ic``: DFQ's smooth form of :func:`one_hot` (Choi et al. 2020, instance entropy).

    To be divided by the images of the global batch.

    Args:
        logits: The teacher's, ``(batch, classes)``.
    """
    log_probabilities = F.log_softmax(logits.float(), dim=1)
    return -(log_probabilities.exp() * log_probabilities).sum()
