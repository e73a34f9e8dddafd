"""What a critic and the generator want of a critic's scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from chorale.training.keyed import uniform

Game = Literal["wasserstein", "hinge", "non-saturating"]


def critic_loss(real: Tensor, generated: Tensor, game: Game) -> Tensor:
    """Return what the critic minimises, summed over samples.

    ``wasserstein``: ``Σ D(x~) - Σ D(x)``, to which :func:`gradient_penalty` is added (Gulrajani et al. 2017, eq. 3).
    ``hinge``: ``Σ relu(1 - D(x)) + Σ relu(1 + D(x~))`` (Miyato et al. 2018, eq. 16, of Lim and Ye 2017).
    ``non-saturating``: ``-Σ log s(D(x)) - Σ log (1 - s(D(x~)))``, s the logistic function (Goodfellow et al. 2014,
    eq. 1). To be divided by the samples of the global batch.

    Args:
        real: Scores of real samples, ``(batch,)``.
        generated: Scores of generated ones, from which no gradient may reach the generator, ``(batch,)``.
        game: Which.
    """
    ours, theirs = real.float(), generated.float()
    if game == "wasserstein":
        return theirs.sum() - ours.sum()
    if game == "hinge":
        return torch.relu(1.0 - ours).sum() + torch.relu(1.0 + theirs).sum()
    return F.softplus(-ours).sum() + F.softplus(theirs).sum()


def generator_loss(generated: Tensor, game: Game) -> Tensor:
    """Return what the generator minimises, summed over samples.

    ``-Σ D(x~)``; of ``non-saturating``, ``-Σ log s(D(x~))`` (Goodfellow et al. 2014, section 3). To be divided by the
    samples of the global batch.

    Args:
        generated: Scores of generated samples, ``(batch,)``.
        game: Which.
    """
    scores = generated.float()
    return F.softplus(-scores).sum() if game == "non-saturating" else -scores.sum()


def gradient_penalty(score: Callable[[Tensor], Tensor], real: Tensor, generated: Tensor, shares: Tensor) -> Tensor:
    """Return ``Σ (|∇ D(x^)| - 1)²`` at ``x^ = e x + (1 - e) x~`` (Gulrajani et al. 2017, equation 3, algorithm 1).

    Its gradient flows to the critic alone. Their weight of 10 is the caller's. To be divided by the samples of the
    global batch.

    Args:
        score: The critic, with what it is conditioned on: ``(batch, ...)`` to ``(batch,)``, each score a function of
            its own sample.
        real: x, ``(batch, ...)``.
        generated: x~, likewise.
        shares: e of each sample, from :func:`draw_shares`, ``(batch,)``.
    """
    weights = shares.view([-1] + [1] * (real.dim() - 1)).to(real)
    between = torch.lerp(generated.detach(), real.detach(), weights).requires_grad_()
    (slope,) = torch.autograd.grad(score(between).sum(), between, create_graph=True)
    # The slope of a root is unbounded at 0, where a critic that is flat would be lost.
    norm = slope.float().flatten(1).square().sum(dim=1).clamp_min(torch.finfo(torch.float32).tiny).sqrt()
    return (norm - 1.0).square().sum()


def draw_shares(key: int, first: int, count: int, device: torch.device) -> Tensor:
    """Return numbers in [0, 1) ``(count,)``, a function of key and sample, the same for any number of ranks.

    Args:
        key: 63 bits.
        first: Index of the first sample in the global batch.
        count: Of this rank's samples.
        device: Where they are wanted.
    """
    return uniform(key, first, torch.Size((count,)), device)
