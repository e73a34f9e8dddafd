"""DFAD (Fang et al. 2019), which the paper builds on, with its two additions: activation regularizer, interpolation.

Per round the student takes several steps towards the teacher, on fresh images in each, then the generator takes one
step away: towards images on which the two disagree. How the additions enter is our choice, for the paper's equations
are not known; see ``losses/activation.py`` and ``losses/interpolation.py``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from chorale.core.seeds import seed_for
from chorale.experiments.datafree.config import DatafreeConfig
from chorale.experiments.datafree.config.method import InterpolationConfig
from chorale.experiments.datafree.losses.disagreement import generator_l1, generator_log_l1, logit_l1
from chorale.experiments.datafree.losses.interpolation import interpolate
from chorale.experiments.datafree.methods.base import Method, mean_of
from chorale.experiments.datafree.players import Answer
from chorale.experiments.datafree.student import ACTIVATION, IN_BETWEEN
from chorale.ranks.reduce import sum_over_ranks
from chorale.training.task import Slice


class Adversarial(Method):
    """See :class:`~chorale.experiments.datafree.methods.base.Method` for the arguments."""

    @classmethod
    def queries(cls, config: DatafreeConfig) -> int:
        """Return the images of the student's steps, those in between that are asked about, and the generator's."""
        between = config.method.interpolation
        doubled = between.kind == "unmixed" or (between.kind == "mixed" and between.ask_again)
        steps = config.student.steps * (2 if doubled else 1) + config.generator.steps
        return steps * config.schedule.batch

    def round(self, number: int) -> dict[str, float]:
        """Let the student come nearer, then the generator look for where it is not."""
        students = [self._teach(number, step) for step in range(self.config.student.steps)]
        generators = [
            self.players.challenge(self._challenge, "generator", number, step)
            for step in range(self.config.generator.steps)
        ]
        return {**mean_of(students), **mean_of(generators)}

    def _teach(self, number: int, step: int) -> dict[str, float]:
        config, players = self.config.method, self.players
        with torch.no_grad():
            images = players.generated("student", number, step)
            answer = players.ask(images, with_taps=config.activation.weight > 0)
            further, labels = self._in_between(images, answer, number, step)
        weights = {ACTIVATION: config.activation.weight, IN_BETWEEN: config.interpolation.weight}
        shown = images if further is None else torch.cat([images, further])
        return players.teach(shown, answer, weights, labels)

    def _in_between(
        self, images: Tensor, answer: Answer, number: int, step: int
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return further images with their labels: in between the others, or the control's, which are not."""
        config, players = self.config.method.interpolation, self.players
        if config.kind == "none":
            return None, None
        if config.kind == "unmixed":
            further = players.generated("further", number, step)
            return further, players.ask(further).logits
        pair = shares(seed_for(self.config.seed, "shares", number, step), players.part, config.alpha).to(images.device)
        labels = answer.logits.softmax(dim=1) if config.labels == "probabilities" else answer.logits
        mixed, virtual = interpolate(images, labels, pair)
        return mixed, _asked_again(players.ask(mixed), config) if config.ask_again else virtual

    def _challenge(self, images: Tensor) -> Mapping[str, Tensor]:
        config, players = self.config.method, self.players
        with_taps = config.activation.generator_weight > 0
        answer, reply = players.ask(images, with_taps), players.reply(images, with_taps)
        total = players.part.total
        if config.generator_loss == "log":
            everywhere = sum_over_ranks(logit_l1(reply.logits, answer.logits))
            losses = {"log_disagreement": generator_log_l1(everywhere, total, len(images)) / total}
        else:
            losses = {"minus_disagreement": generator_l1(reply.logits, answer.logits) / total}
        if with_taps:
            model = players.student_model
            # What the reply holds has gone through the connectors already.
            losses["minus_activation"] = (
                -config.activation.generator_weight * model.connected_activation(reply.taps, answer.taps) / total
            )
        return losses


def shares(key: int, part: Slice, alpha: float) -> Tensor:
    """Return the share of each of this rank's pairs ``(slice / 2,)``, drawn from Beta(alpha, alpha).

    Args:
        key: Of the draws of all pairs of the global batch.
        part: This rank's slice, which begins and ends at even indices.
        alpha: 1 gives every share the same chance.
    """
    drawn = np.random.default_rng(key).beta(alpha, alpha, part.total // 2)
    return torch.from_numpy(drawn[part.first // 2 : part.last // 2].astype(np.float32))


def _asked_again(answer: Answer, config: InterpolationConfig) -> Tensor:
    return answer.logits.softmax(dim=1) if config.labels == "probabilities" else answer.logits
