"""ZSKT (Micaelli and Storkey 2019): the generator raises the divergence, the student lowers it on the same images."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from chorale.experiments.datafree.config import DatafreeConfig
from chorale.experiments.datafree.losses.disagreement import distillation_kl
from chorale.experiments.datafree.methods.base import Method, mean_of
from chorale.experiments.datafree.players import Answer
from chorale.experiments.datafree.student import ATTENTION


class Zskt(Method):
    """See :class:`~chorale.experiments.datafree.methods.base.Method` for the arguments.

    As in the published code the student learns from the images that the generator's step was made with, from before
    that step, several times: one batch of queries serves all of them.
    """

    needs_taps = True

    @classmethod
    def queries(cls, config: DatafreeConfig) -> int:
        """Return the images of the generator's steps: the student's are the same."""
        return config.generator.steps * config.schedule.batch

    def round(self, number: int) -> dict[str, float]:
        """Let the generator take its steps, then the student several on the last one's images."""
        seen: list[tuple[Tensor, Answer]] = []

        def losses(images: Tensor) -> Mapping[str, Tensor]:
            answer = self.players.ask(images, with_taps=True)
            seen[:] = [(images.detach(), Answer(answer.logits.detach(), [tap.detach() for tap in answer.taps]))]
            return self._losses(images, answer)

        generators = [
            self.players.challenge(losses, "generator", number, step) for step in range(self.config.generator.steps)
        ]
        ((images, answer),) = seen
        weights = {ATTENTION: self.config.method.zskt.attention}
        students = [self.players.teach(images, answer, weights) for _ in range(self.config.student.steps)]
        return {**mean_of(students), **mean_of(generators)}

    def _losses(self, images: Tensor, answer: Answer) -> Mapping[str, Tensor]:
        reply = self.players.reply(images)
        divergence = distillation_kl(reply.logits, answer.logits, self.config.method.zskt.temperature)
        return {"minus_divergence": -divergence / self.players.part.total}
