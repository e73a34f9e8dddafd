"""Dropout whose masks do not depend on how a batch is split between ranks."""

from __future__ import annotations

import random

from torch import Tensor, nn

from chorale.training.keyed import uniform


class SampleDropout(nn.Module):
    """Dropout (Srivastava et al. 2014, with the kept values scaled by 1 / (1 - p)) with a mask for each sample.

    A mask is a function of a key, the sample's index in the GLOBAL batch, and the place in the sample; the key is one
    draw per call from Python's generator, which is the same on every rank. So one rank and many drop the same values,
    on a CPU and on a GPU.

    Args:
        p: Share of values that become 0.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.first_sample = 0

    def forward(self, values: Tensor) -> Tensor:
        """Drop from ``(batch, ...)``, whose first sample is number ``first_sample`` of the global batch."""
        if not self.training or self.p == 0.0:
            return values
        kept = uniform(random.getrandbits(63), self.first_sample, values.shape, values.device) >= self.p
        return values * kept / (1.0 - self.p)

    def extra_repr(self) -> str:
        """Say the share in the module's printed form."""
        return f"p={self.p}"


def place_samples(network: nn.Module, first_sample: int) -> None:
    """Tell every :class:`SampleDropout` in ``network`` which sample of the global batch comes first on this rank."""
    for module in network.modules():
        if isinstance(module, SampleDropout):
            module.first_sample = first_sample
