"""Losses over speakers, each with its own classifier on top of the embedding.

They are sums over samples: who calls divides by the size of the GLOBAL batch, of which a rank may see a slice.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class AdditiveAngularMargin(nn.Module):
    """AAM-softmax (Deng et al. 2019, ArcFace, equation 3; for speakers Xiang et al. 2019, "Margin matters").

    ``L = -Σ log( exp(s cos(θ_y + m)) / (exp(s cos(θ_y + m)) + Σ_{j≠y} exp(s cos θ_j)) )`` where ``θ_j`` is the
    angle between the embedding and the weight vector of speaker j. Where ``θ_y + m`` passes π the cosine would rise
    again; there ``cos θ_y - m sin m`` takes its place, as in the authors' code.

    Args:
        dimension: Of the embedding.
        n_speakers: Classes.
        margin: m, in radians.
        scale: s.
    """

    def __init__(self, dimension: int, n_speakers: int, margin: float, scale: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_speakers, dimension))
        nn.init.xavier_uniform_(self.weight)
        self.margin = margin
        self.scale = scale

    def forward(self, embeddings: Tensor, speakers: Tensor) -> Tensor:
        """Return the summed loss of ``embeddings`` ``(batch, dimension)`` with ``speakers`` ``(batch,)``."""
        cosine = F.linear(F.normalize(embeddings), F.normalize(self.weight))
        return F.cross_entropy(self.logits(cosine, speakers), speakers, reduction="sum")

    def logits(self, cosine: Tensor, speakers: Tensor) -> Tensor:
        """Return scaled logits ``(batch, n_speakers)`` with the margin on each true speaker.

        Args:
            cosine: Cosines ``(batch, n_speakers)``.
            speakers: True speakers ``(batch,)``.
        """
        # The derivative of the sine is unbounded where the cosine is ±1.
        sine = (1.0 - cosine.square()).clamp_min(torch.finfo(cosine.dtype).eps).sqrt()
        with_margin = cosine * math.cos(self.margin) - sine * math.sin(self.margin)
        beyond = cosine <= math.cos(math.pi - self.margin)
        with_margin = torch.where(beyond, cosine - self.margin * math.sin(self.margin), with_margin)
        true = F.one_hot(speakers, cosine.shape[1]).bool()
        return self.scale * torch.where(true, with_margin, cosine)


class SoftmaxLoss(nn.Module):
    """Cross-entropy after one affine layer, as Kaldi's x-vector is trained."""

    def __init__(self, dimension: int, n_speakers: int) -> None:
        super().__init__()
        self.output = nn.Linear(dimension, n_speakers)

    def forward(self, embeddings: Tensor, speakers: Tensor) -> Tensor:
        """Return the summed loss of ``embeddings`` ``(batch, dimension)`` with ``speakers`` ``(batch,)``."""
        return F.cross_entropy(self.output(embeddings), speakers, reduction="sum")
