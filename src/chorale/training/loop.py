"""The one loop of all gradient training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from chorale.runs.context import Context
from chorale.runs.stopping import StoppedError
from chorale.training.agreement import Agreement
from chorale.training.config import LoopConfig
from chorale.training.saving import Saver
from chorale.training.task import Task


class Trained(NamedTuple):
    """A training that has come to its end.

    Attributes:
        metrics: What was logged last.
        seconds: Seconds of training, over all attempts.
    """

    metrics: dict[str, float]
    seconds: float


def train(task: Task, config: LoopConfig, context: Context, seed: int) -> Trained:
    """Train from the newest checkpoint, or from the beginning, to the last step; called on ALL ranks.

    Interrupted anywhere and taken up by as many ranks, it ends with the same numbers as if it had never stopped. The
    end is saved too: if what follows fails, it can be tried again without training.

    Args:
        task: What is trained.
        config: How many steps, and what happens between them.
        context: Of the stage: ranks, events, checkpoints, the flag to stop.
        seed: Of the libraries' generators.

    Raises:
        StoppedError: The training was asked to stop and has saved itself.
        WorkError: A value is not finite any more, or a checkpoint could not be written.
        PeerLostError: Another rank is gone.
    """
    with context.ranks.watched():
        saver = Saver(task, config.checkpoint, context)
        state = saver.resume(seed)
        _log(context, state.step, {"attempt/first_step": state.step})
        agreement = Agreement(context.ranks, config.agree_share, state.step)
        while state.step < config.steps:
            state.add(task.step(state.step))
            step, at_end = state.step, state.step == config.steps
            to_log = at_end or step % config.log_every == 0
            to_evaluate = config.evaluate_every is not None and (at_end or step % config.evaluate_every == 0)
            to_save = at_end or saver.due(step)
            if not (to_log or to_evaluate or to_save or agreement.due(step)):
                continue
            agreed = agreement.ask(step, context.stop, saver.overdue(), diverged=state.not_finite is not None)
            if agreed.diverged:
                raise state.divergence(context.ranks, config.steps)
            if to_log:
                state.metrics = {**state.take_means(context.ranks), **task.gauges(step)}
                _log(context, step, state.metrics)
            evaluated = task.evaluate(step) if to_evaluate else {}
            _log(context, step, evaluated)
            if to_save or agreed.save or agreed.stop:
                saver.save(state, evaluated)
            if agreed.stop and not at_end:
                _log(context, step, {"attempt/last_step": step, "attempt/seconds_to_stop": context.stop.seconds})
                raise StoppedError(f"stopped and saved after step {step} of {config.steps}")
        return Trained(state.metrics, state.seconds)


def _log(context: Context, step: int, metrics: Mapping[str, float]) -> None:
    if context.ranks.rank == 0 and metrics:
        context.log_all(step, metrics)
