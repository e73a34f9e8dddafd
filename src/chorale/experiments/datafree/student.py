"""The student with its losses, as an engine trains it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from chorale.experiments.datafree.config.method import MethodConfig
from chorale.experiments.datafree.config.training import StudentConfig
from chorale.experiments.datafree.losses.activation import activation_boundary, feature_l2
from chorale.experiments.datafree.losses.attention_transfer import attention_transfer
from chorale.experiments.datafree.losses.disagreement import distillation_kl, logit_l1, soft_label_kl
from chorale.experiments.datafree.networks.connectors import Connectors
from chorale.experiments.datafree.networks.taps import Tapped

DISAGREEMENT, ACTIVATION, ATTENTION, IN_BETWEEN = "disagreement", "activation", "attention", "in_between"
"""Names of the student's losses."""


class StudentModel(nn.Module):
    """The student, connectors to the teacher's pre-activations where widths differ, and the losses.

    Args:
        network: The student.
        taps: Names of its pre-activations, shallow to deep; empty where no loss needs them.
        connectors: From its pre-activations to the teacher's widths; None where no loss needs them.
        method: Which losses.
    """

    def __init__(
        self, network: nn.Module, taps: Sequence[str], connectors: Connectors | None, method: MethodConfig
    ) -> None:
        super().__init__()
        self.network, self.connectors = network, connectors
        self._taps, self._method = tuple(taps), method

    def forward(
        self, images: Tensor, logits: Tensor, taps: Sequence[Tensor], labels_between: Tensor | None
    ) -> dict[str, Tensor]:
        """Return each loss as a sum over its images.

        Args:
            images: ``(batch, channels, height, width)``; further images behind those that ``logits`` are of are in
                between, or the control's.
            logits: The teacher's, ``(first images, classes)``.
            taps: The teacher's pre-activations of the first images; empty where no loss needs them.
            labels_between: Of the further images, ``(rest, classes)``: logits or probabilities, as configured.
        """
        with Tapped(self.network, self._taps) as tapped:
            found = self.network(images).float()
        count = len(logits)
        # A slice of everything would cost its backward pass a copy.
        own = found if labels_between is None else found[:count]
        sums = {DISAGREEMENT: self._disagreement(own, logits)}
        if taps and self._method.kind == "zskt":
            sums[ATTENTION] = attention_transfer([output[:count] for output in tapped.outputs], taps)
        elif taps:
            sums[ACTIVATION] = self.activation([output[:count] for output in tapped.outputs], taps)
        if labels_between is not None:
            sums[IN_BETWEEN] = self._in_between(found[count:], labels_between)
        return sums

    def activation(self, own: Sequence[Tensor], teachers: Sequence[Tensor]) -> Tensor:
        """Return the activation regularizer, summed over images.

        Args:
            own: The student's pre-activations, shallow to deep.
            teachers: The teacher's.
        """
        return self.connected_activation(own if self.connectors is None else self.connectors(own), teachers)

    def connected_activation(self, connected: Sequence[Tensor], teachers: Sequence[Tensor]) -> Tensor:
        """Return the same of pre-activations that have the teacher's widths already."""
        config = self._method.activation
        if config.kind == "l2":
            return feature_l2(connected, teachers)
        return activation_boundary(connected, teachers, config.margin)

    def _disagreement(self, own: Tensor, teachers: Tensor) -> Tensor:
        if self._method.kind in ("noise", "real", "dfad"):
            return logit_l1(own, teachers)
        temperature = self._method.zskt.temperature if self._method.kind == "zskt" else 1.0
        return distillation_kl(own, teachers, temperature)

    def _in_between(self, own: Tensor, labels: Tensor) -> Tensor:
        config = self._method.interpolation
        if config.kind == "mixed" and config.labels == "probabilities":
            return soft_label_kl(own, labels)
        return logit_l1(own, labels)


def student_optimizer(parameters: Iterable[nn.Parameter], config: StudentConfig) -> torch.optim.Optimizer:
    """Return SGD with momentum (Fang et al. 2019's choice for the student).

    Fused: on a CPU too one call for all parameters, where torch's own choice is several for each.
    """
    return torch.optim.SGD(
        parameters, lr=config.rate, momentum=config.momentum, weight_decay=config.weight_decay, fused=True
    )
