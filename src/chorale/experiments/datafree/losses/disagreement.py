"""How far the student's logits are from the teacher's: what the student lessens and the generator raises."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def logit_l1(student: Tensor, teacher: Tensor) -> Tensor:
    """Return ``Σ_i mean_c |s_ic - t_ic|``: the student's loss of DFAD (Fang et al. 2019, model discrepancy).

    To be divided by the images of the global batch.

    Args:
        student: Logits ``(batch, classes)``.
        teacher: Likewise, or virtual labels that are mixtures of them; detached where only the student learns.
    """
    return (student.float() - teacher.float()).abs().mean(dim=1).sum()


def distillation_kl(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Return ``T² Σ_i KL(softmax(t_i / T) || softmax(s_i / T))`` (Hinton et al. 2015, section 2).

    The entropy of the teacher's part, which the student cannot change, is left in: the loss of a student that agrees is
    0. To be divided by the images of the global batch.

    Args:
        student: Logits ``(batch, classes)``.
        teacher: Likewise.
        temperature: T; the factor T² keeps gradients of one size whatever it is.
    """
    ours = F.log_softmax(student.float() / temperature, dim=1)
    theirs = F.log_softmax(teacher.float() / temperature, dim=1)
    return temperature**2 * F.kl_div(ours, theirs, reduction="sum", log_target=True)


def soft_label_kl(student: Tensor, labels: Tensor) -> Tensor:
    """Return ``Σ_i KL(y_i || softmax(s_i))`` for labels that are probabilities already, as mixtures of softmaxes are.

    To be divided by the images of the global batch.

    Args:
        student: Logits ``(batch, classes)``.
        labels: y, ``(batch, classes)``, each row of sum 1.
    """
    return F.kl_div(F.log_softmax(student.float(), dim=1), labels.float(), reduction="sum")


def generator_l1(student: Tensor, teacher: Tensor) -> Tensor:
    """Return ``-Σ_i mean_c |s_ic - t_ic|``: the generator's loss of DFAD (Fang et al. 2019); see :func:`logit_l1`.

    Gradients flow through BOTH networks to the images.
    """
    return -logit_l1(student, teacher)


def generator_log_l1(global_l1: Tensor, total: int, samples: int) -> Tensor:
    """Return ``-log(L1 + 1)`` for each of this rank's samples, L1 the mean of the GLOBAL batch (DFAD, an option).

    A logarithm of a slice's mean would not add up to that of the batch; so the batch's sum is given, the same on every
    rank. To be divided by the images of the global batch: then the ranks' losses sum to ``-log(L1 + 1)``.

    Args:
        global_l1: ``sum_over_ranks(logit_l1(...))``, through which gradients flow; a scalar.
        total: Images of the global batch.
        samples: Images of this rank's slice.
    """
    return -samples * torch.log1p(global_l1 / total)
