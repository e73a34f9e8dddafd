"""One distillation: what the common loop does in each round."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from chorale.core.errors import WorkError
from chorale.core.logs import get_logger
from chorale.core.seeds import seed_for
from chorale.experiments.datafree.building import Parts
from chorale.experiments.datafree.config import DatafreeConfig
from chorale.experiments.datafree.corpus.data import ImageData
from chorale.experiments.datafree.evaluation import evaluating, measured_mismatch, measured_shares
from chorale.experiments.datafree.methods.choice import make_method, rounds_of
from chorale.experiments.datafree.metrics.collapse import Figures, Thresholds, figures, is_collapsed, label_histogram
from chorale.experiments.datafree.sheets import write_sheet
from chorale.ranks.group import Group
from chorale.training.keyed import normal

_log = get_logger(__name__)


class DistillationTask:
    """The distillation, for the common loop; a step of the loop is a round of the method.

    Args:
        parts: The networks and their engines.
        data: Test images for the evaluation; training images only for the method ``real``.
        config: Method, schedule, seed.
        group: The ranks.
        device: Where this rank computes.
        sheets: Where sheets of generated images go; none are written if not given.
    """

    def __init__(
        self,
        parts: Parts,
        data: ImageData,
        config: DatafreeConfig,
        group: Group,
        device: torch.device,
        sheets: Path | None = None,
    ) -> None:
        self._parts, self._data, self._config = parts, data, config
        self._group, self._device, self._sheets = group, device, sheets
        self._players = parts.players
        self._method = make_method(parts.players, config, data)
        self._rounds = rounds_of(config)
        self._restarts = self._suspicions = 0
        self.engines = tuple(parts.engines)

    def step(self, step: int) -> dict[str, float]:
        """Do one round, and return this rank's part of each mean loss."""
        factor = self._factor(step)
        self._players.student.set_rate(self._config.student.rate * factor)
        if self._parts.generator is not None:
            self._parts.generator.set_rate(self._config.generator.rate * factor)
        self._players.train()
        return self._method.round(step)

    def gauges(self, step: int) -> dict[str, float]:
        """Return what the teacher has been asked so far, the student's rate, and the generator's new beginnings."""
        return {
            "queries": float(step * self._method.queries(self._config)),
            "rate/student": self._config.student.rate * self._factor(step - 1),
            "restarts": float(self._restarts),
        }

    def evaluate(self, step: int) -> dict[str, float]:
        """Return accuracy, agreement with the teacher and the generator's diversity; on ALL ranks.

        Raises:
            WorkError: The generator has collapsed, and that is to end the training.
        """
        student, teacher, data = self._players.student_network, self._players.teacher, self._data
        shares = measured_shares(student, teacher, data, self._group, self._device)
        found = {"accuracy": shares.accuracy, "agreement": shares.agreement}
        if self._parts.neurons_correspond:
            found["boundary_mismatch"] = measured_mismatch(self._players, data, self._group, self._device)
        if self._parts.generator is not None:
            found.update(self._look_at_generator(step))
        return found

    def state(self) -> dict[str, Any]:
        """Return how often the generator began anew, and how often in a row it looked collapsed."""
        return {"restarts": self._restarts, "suspicions": self._suspicions}

    def restore(self, state: dict[str, Any]) -> None:
        """Take that back."""
        self._restarts, self._suspicions = int(state["restarts"]), int(state["suspicions"])

    def _factor(self, step: int) -> float:
        """Return what rates are multiplied by: a tenth from each configured share of the rounds on."""
        passed = sum(step >= share * self._rounds for share in self._config.schedule.decay_at)
        return 0.1**passed

    @torch.no_grad()
    def _look_at_generator(self, step: int) -> dict[str, float]:
        """Measure the same z's images each time; alike on every rank, for each makes all of them."""
        generator: nn.Module = self._parts.generator.network if self._parts.generator is not None else nn.Identity()
        count = max(self._config.schedule.sheet, 4 * len(self._data.classes))
        shape = torch.Size((count, self._config.generator.latent))
        with evaluating(generator):
            images = generator(normal(seed_for(self._config.seed, "sheet"), 0, shape, self._device))
        found = figures(images, label_histogram(self._players.teacher(images)))
        if self._sheets is not None and self._group.rank == 0:
            write_sheet(self._sheets, step, images[: self._config.schedule.sheet], self._data.scale)
        self._judge(step, found)
        return {"diversity": found.deviation, "label_entropy": found.label_entropy}

    def _judge(self, step: int, found: Figures) -> None:
        limits = self._config.collapse
        collapsed = is_collapsed(found, Thresholds(limits.diversity, limits.label_entropy))
        self._suspicions = self._suspicions + 1 if collapsed else 0
        if self._suspicions < limits.patience:
            return
        self._suspicions = 0
        line = (
            f"round {step}: the generator has collapsed (deviation over a batch {found.deviation:.3f}, "
            f"label entropy {found.label_entropy:.3f} of the largest possible)"
        )
        if limits.action == "ignore":
            _log.warning("%s; going on as collapse.action says", line)
            return
        if limits.action == "stop" or self._restarts >= limits.restarts:
            raise WorkError(line, "set collapse.action to restart or ignore, or lower generator.rate")
        self._restarts += 1
        _log.warning("%s; it begins anew, for the %d. time", line, self._restarts)
        self._parts.begin_anew(self._restarts)
