"""What brings the student's taps to the widths of the teacher's."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from chorale.core.seeds import seed_for
from chorale.experiments.datafree.networks.norm import batch_norm
from chorale.experiments.datafree.networks.taps import require_same_places


class Connectors(nn.Module):
    """For each tap whose channels differ a 1 x 1 convolution and batch normalisation (Heo et al. 2019, their code).

    They are trained with the student, and thrown away afterwards. Where channels agree, a tap passes as it is; their
    code has connectors at all taps or at none.

    Args:
        students: Shape of each of the student's taps without the batch: ``(channels, height, width)`` or ``(width,)``.
        teachers: Likewise of the teacher's.
        seed: All that their weights depend on.

    Raises:
        InputError: The taps do not correspond.
    """

    def __init__(self, students: Sequence[torch.Size], teachers: Sequence[torch.Size], seed: int) -> None:
        super().__init__()
        require_same_places(students, teachers)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_for(seed, "connectors"))
            pairs = zip(students, teachers, strict=True)
            self.layers = nn.ModuleList(_connector(student[0], teacher[0]) for student, teacher in pairs)

    def forward(self, taps: Sequence[Tensor]) -> list[Tensor]:
        """Map the student's taps, each ``(batch, channels, ...)``, to the teacher's channels."""
        return [_connected(layer, tap) for layer, tap in zip(self.layers, taps, strict=True)]


def _connector(inputs: int, outputs: int) -> nn.Module:
    if inputs == outputs:
        return nn.Identity()
    convolution = nn.Conv2d(inputs, outputs, 1, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(convolution, batch_norm(outputs))


def _connected(layer: nn.Module, tap: Tensor) -> Tensor:
    """Apply a layer to a map, or to a vector as a map of one place."""
    result: Tensor = layer(tap) if tap.dim() == 4 else layer(tap[:, :, None, None])[:, :, 0, 0]
    return result
