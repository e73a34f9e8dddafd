"""Batch normalisation over the GLOBAL batch, on a CPU too, where torch's SyncBatchNorm refuses to work."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from chorale.ranks.reduce import sum_over_ranks, training_ranks


class _GlobalBatchNorm(_BatchNorm):
    """Batch normalisation (Ioffe and Szegedy 2015, algorithm 1) with mean and variance of all ranks' slices together.

    With one process, and in evaluation, it is torch's own. With several, one sum over ranks gives mean and count, a
    second the variance about that mean, which does not cancel. Ranks may hold slices of different length.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Normalise per channel; channels are dimension 1."""
        if not self.training or training_ranks() == 1:
            alone: Tensor = super().forward(features)
            return alone
        self._check_input_dim(features)  # type: ignore[no-untyped-call]  # torch gives it no types
        over = [dimension for dimension in range(features.dim()) if dimension != 1]
        counted = features.new_tensor([features.numel() / features.shape[1]], dtype=torch.float32)
        sums = sum_over_ranks(torch.cat([features.float().sum(over), counted]))
        count = sums[-1].detach()
        mean = sums[:-1] / count
        shape = [1, -1] + [1] * (features.dim() - 2)
        centred = features.float() - mean.view(shape)
        variance = sum_over_ranks(centred.square().sum(over)) / count
        self._note(mean.detach(), variance.detach() * count / (count - 1))
        normalised = centred * torch.rsqrt(variance + self.eps).view(shape)
        if self.affine:
            normalised = normalised * self.weight.view(shape) + self.bias.view(shape)
        result: Tensor = normalised.to(features.dtype)
        return result

    def _note(self, mean: Tensor, unbiased_variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = self.momentum if self.momentum is not None else 1.0 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(unbiased_variance, share)


class GlobalBatchNorm1d(_GlobalBatchNorm, nn.BatchNorm1d):
    """For ``(batch, channels)`` and ``(batch, channels, time)``; what it takes is what torch's takes."""


class GlobalBatchNorm2d(_GlobalBatchNorm, nn.BatchNorm2d):
    """For ``(batch, channels, height, width)``; what it takes is what torch's takes."""
