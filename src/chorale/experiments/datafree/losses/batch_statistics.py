"""Generated images are to have the statistics inside the teacher that its training data had (DFQ)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from chorale.experiments.datafree.networks.batch_statistics import LayerStatistics


def batch_statistics_kl(layers: Sequence[LayerStatistics], samples: int) -> Tensor:
    """Return ``Σ_l Σ_c KL(N(μ^, σ^²) || N(μ, σ²))`` for each of this rank's samples (Choi et al. 2020, DFQ).

    ``KL = (σ^² + (μ^ - μ)²) / (2 σ²) - log(σ^ / σ) - 1/2`` with ``μ^, σ^`` of the GLOBAL batch and ``μ, σ`` the running
    statistics. The divergence of Gaussians is DFQ's; squared differences of mean and deviation would measure each
    channel by its own scale, so that the largest alone would count. Our choice: the layer's eps is added to both
    variances, since a channel that no image excites has variance 0. To be divided by the images of the global batch:
    then the ranks' losses sum to the batch's.

    Args:
        layers: Of every batch normalisation, equal on all ranks.
        samples: Images of this rank's slice.
    """
    return samples * torch.stack([_divergence(layer) for layer in layers]).sum()


def _divergence(layer: LayerStatistics) -> Tensor:
    variance, running_variance = layer.variance + layer.eps, layer.running_variance + layer.eps
    scaled = (variance + (layer.mean - layer.running_mean).square()) / running_variance
    return 0.5 * (scaled - (variance / running_variance).log() - 1.0).sum()
