"""DFQ's adversarial distillation (Choi et al. 2020): images with the statistics that the teacher's layers remember."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from chorale.experiments.datafree.config import DatafreeConfig
from chorale.experiments.datafree.losses.batch_statistics import batch_statistics_kl
from chorale.experiments.datafree.losses.dafl import information_entropy, one_hot
from chorale.experiments.datafree.losses.disagreement import distillation_kl
from chorale.experiments.datafree.methods.base import Method, mean_of
from chorale.experiments.datafree.networks.batch_statistics import BatchStatistics
from chorale.ranks.reduce import sum_over_ranks


class Dfq(Method):
    """See :class:`~chorale.experiments.datafree.methods.base.Method` for the arguments."""

    needs_statistics = True

    @classmethod
    def queries(cls, config: DatafreeConfig) -> int:
        """Return the images of the student's steps and the generator's."""
        return (config.student.steps + config.generator.steps) * config.schedule.batch

    def round(self, number: int) -> dict[str, float]:
        """Let the student come nearer, then the generator make other images."""
        students = []
        for step in range(self.config.student.steps):
            with torch.no_grad():
                images = self.players.generated("student", number, step)
                answer = self.players.ask(images)
            students.append(self.players.teach(images, answer, {}))
        generators = [
            self.players.challenge(self._losses, "generator", number, step)
            for step in range(self.config.generator.steps)
        ]
        return {**mean_of(students), **mean_of(generators)}

    def _losses(self, images: Tensor) -> Mapping[str, Tensor]:
        players, weights = self.players, self.config.method.dfq
        total, samples = players.part.total, len(players.part.samples)
        with BatchStatistics(players.teacher) as noted:
            answer = players.ask(images)
        reply = players.reply(images)
        probabilities = sum_over_ranks(answer.logits.softmax(dim=1).sum(dim=0))
        return {
            "statistics": weights.statistics * batch_statistics_kl(noted.layers(), samples) / total,
            "entropy": weights.entropy * information_entropy(probabilities, total, samples) / total,
            "one_hot": weights.one_hot * one_hot(answer.logits) / total,
            "minus_divergence": -weights.adversarial * distillation_kl(reply.logits, answer.logits, 1.0) / total,
        }
