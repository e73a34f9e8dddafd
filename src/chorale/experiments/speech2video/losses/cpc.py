"""InfoNCE: which of several latents is the one that comes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from chorale.core.seeds import seed_for


class Contrast(NamedTuple):
    """Sums over samples.

    Attributes:
        loss: InfoNCE, nats, mean over the guesses of each sample.
        hits: Share of the guesses whose latent is the likeliest, likewise.
    """

    loss: Tensor
    hits: Tensor


def info_nce(guesses: Tensor, latents: Tensor, negatives: NDArray[np.int64]) -> Contrast:
    """Return InfoNCE (Oord et al. 2018, equation 4) with ``f_k = exp(z . W_k c_t / channels)``.

    The division keeps the scores of 256 channels in a range in which a softmax learns, and is CPC_audio's mean over
    channels. Every step t for which all of t + 1 ... t + ahead lie in the window guesses.

    Args:
        guesses: ``(batch, steps, ahead, channels)``: ``W_k c_t``.
        latents: z, ``(batch, steps, channels)``.
        negatives: From :func:`draw_negatives`, ``(batch, guessing steps, negatives)``.
    """
    _, steps, ahead, channels = guesses.shape
    guessing = steps - ahead
    guessed = guesses[:, :guessing]
    coming = torch.stack([latents[:, k : k + guessing] for k in range(1, ahead + 1)], dim=2)
    others = torch.from_numpy(negatives).to(latents.device)
    # One product of all guesses with all latents of the window is quicker than gathering vectors.
    scores = torch.einsum("btkc,bsc->btks", guessed, latents) / channels
    wrong = scores.gather(3, others.unsqueeze(2).expand(-1, -1, ahead, -1))
    right = (guessed * coming).sum(-1, keepdim=True) / channels
    logits = torch.cat([right, wrong], dim=3).float()
    loss = F.cross_entropy(
        logits.flatten(0, 2), logits.new_zeros(logits.shape[:3].numel(), dtype=torch.long), reduction="sum"
    )
    hits = (logits[..., 0] > logits[..., 1:].amax(-1)).sum()
    return Contrast(loss / (guessing * ahead), hits / (guessing * ahead))


def draw_negatives(key: int, first: int, last: int, steps: int, ahead: int, count: int) -> NDArray[np.int64]:
    """Return latents to tell the right ones from, ``(last - first, guessing steps, count)``: places in the SAME window.

    From the same window, so that neither the speaker nor the room gives the right one away, and no rank needs another's
    samples (Oord et al. 2018 compare where negatives come from; that none of t ... t + ahead is taken is our choice).

    Args:
        key: Of the draws.
        first: Index of the first sample in the global batch.
        last: One past the last.
        steps: Of the window.
        ahead: Steps that are guessed.
        count: Of each guessing step.
    """
    guessing = steps - ahead
    drawn = [
        np.random.default_rng(seed_for(key, sample)).integers(0, steps - ahead - 1, (guessing, count))
        for sample in range(first, last)
    ]
    # Places outside t ... t + ahead, of which there are steps - ahead - 1.
    own = np.arange(guessing)[:, np.newaxis]
    return np.stack([places + (ahead + 1) * (places >= own) for places in drawn]).astype(np.int64)
