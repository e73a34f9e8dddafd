"""DAFL (Chen et al. 2019): images of which the teacher is sure, with large features, of all classes equally often."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from chorale.experiments.datafree.config import DatafreeConfig
from chorale.experiments.datafree.losses.dafl import activation, information_entropy, one_hot
from chorale.experiments.datafree.methods.base import Method, mean_of
from chorale.experiments.datafree.players import Answer
from chorale.ranks.reduce import sum_over_ranks


class Dafl(Method):
    """See :class:`~chorale.experiments.datafree.methods.base.Method` for the arguments."""

    needs_taps = True

    @classmethod
    def queries(cls, config: DatafreeConfig) -> int:
        """Return the images of its steps: one and the same batch serves generator and student."""
        return config.student.steps * config.schedule.batch

    def round(self, number: int) -> dict[str, float]:
        """Do some steps, in each of which generator and student move on the same images."""
        return mean_of([self._step(number, step) for step in range(self.config.student.steps)])

    def _step(self, number: int, step: int) -> dict[str, float]:
        seen: list[tuple[Tensor, Answer]] = []

        def losses(images: Tensor) -> Mapping[str, Tensor]:
            answer = self.players.ask(images, with_taps=True)
            seen.append((images.detach(), Answer(answer.logits.detach(), [])))
            return self._losses(answer)

        generator = self.players.challenge(losses, "both", number, step)
        (images, answer) = seen[0]
        return {**self.players.teach(images, answer, {}), **generator}

    def _losses(self, answer: Answer) -> Mapping[str, Tensor]:
        weights, part = self.config.method.dafl, self.players.part
        total, samples = part.total, len(part.samples)
        probabilities = sum_over_ranks(answer.logits.softmax(dim=1).sum(dim=0))
        return {
            "one_hot": weights.one_hot * one_hot(answer.logits) / total,
            "activation": weights.activation * activation(answer.taps[-1].relu()) / total,
            "entropy": weights.entropy * information_entropy(probabilities, total, samples) / total,
        }
