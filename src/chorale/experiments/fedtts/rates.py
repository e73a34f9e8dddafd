"""Learning rates and reduction factors over steps and rounds. No heavy imports: the federation loads this."""

from __future__ import annotations

import math

from chorale.experiments.fedtts.config.training import LocalConfig, RecipeConfig


def learning_rate(recipe: RecipeConfig, step: int) -> float:
    """Return ``rate * min(s / w, sqrt(w / s))`` with ``s = step + 1`` and w the warm-up's steps.

    Noam's schedule (Vaswani et al. 2017, equation 3), scaled so that its peak, at the warm-up's end, is ``rate``.
    """
    done = step + 1
    return recipe.rate * min(done / recipe.warmup_steps, math.sqrt(recipe.warmup_steps / done))


def local_rate(local: LocalConfig, round_: int) -> float:
    """Return the clients' learning rate in a round.

    It rises as ``rate * (round + 1) / w`` over w warm-up rounds, and then stays, or falls as
    ``rate / sqrt(1 + (round - w) / max(w, 1))``, which after a warm-up is Noam's schedule (Vaswani et al. 2017,
    equation 3) over rounds.

    Args:
        local: Peak, warm-up and decay.
        round_: From 0.
    """
    warmup = local.warmup_rounds
    if round_ < warmup:
        return local.rate * (round_ + 1) / warmup
    if local.rate_decay == "none":
        return local.rate
    return local.rate / math.sqrt(1.0 + (round_ - warmup) / max(warmup, 1))


def reduction_at(recipe: RecipeConfig, step: int) -> int:
    """Return the mel frames per decoder step at ``step``: of the last stage that has begun."""
    return [stage.factor for stage in recipe.reduction if stage.start * recipe.steps <= step][-1]
