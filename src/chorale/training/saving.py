"""Saving a training and taking it up again: engines, state and random state, by all ranks together."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from chorale.core.logs import get_logger
from chorale.runs.checkpoints import Checkpoints, Keep
from chorale.runs.context import Context
from chorale.training.config import CheckpointConfig
from chorale.training.draws import seed_everything
from chorale.training.lead import SignalLead
from chorale.training.state import TrainingState
from chorale.training.task import Task

_log = get_logger(__name__)


class Saver:
    """Saves and takes up one training.

    Args:
        task: The training.
        config: When, and what is kept.
        context: Of the stage.
    """

    def __init__(self, task: Task, config: CheckpointConfig, context: Context) -> None:
        self._task, self._config, self._context = task, config, context
        keep = Keep(config.keep_last, config.keep_best, config.highest_is_best)
        self._checkpoints = Checkpoints(
            context.checkpoints, context.ranks, context.attempt, keep, still_ours=context.still_ours
        )
        self._saved_at = time.monotonic()
        self._lead = SignalLead()

    def resume(self, seed: int) -> TrainingState:
        """Return where the newest complete checkpoint stands, or the beginning; on ALL ranks."""
        group, state = self._context.ranks, TrainingState()
        seed_everything(seed, group.rank)
        found = self._checkpoints.newest()
        if found is not None:
            for engine in self._task.engines:
                engine.load(found.directory, found.world_size)
            self._task.restore(state.restore(found.directory, group, found.world_size))
            if group.rank == 0:
                _log.info("going on from step %d (%s)", state.step, found.directory)
        return state

    def due(self, step: int) -> bool:
        """Say whether the steps since the last checkpoint are enough; the same on every rank."""
        return self._config.every_steps is not None and step % self._config.every_steps == 0

    def overdue(self) -> bool:
        """Say whether the seconds since the last checkpoint are enough, by this rank's clock."""
        return self._config.every_s is not None and time.monotonic() - self._saved_at >= self._config.every_s

    def save(self, state: TrainingState, metrics: Mapping[str, float]) -> float:
        """Save on ALL ranks, commit on rank 0, and return the seconds it took.

        Raises:
            WorkError: It could not be written; the checkpoint before it is untouched.
            SupersededError: Another attempt holds the item now.
        """
        began = time.monotonic()

        def write(directory: Path) -> list[Path]:
            own = state.save(directory, self._context.ranks.rank, self._task.state(), self._config.leave_out)
            return [own, *(path for engine in self._task.engines for path in engine.save(directory))]

        self._checkpoints.save(state.step, write, metrics)
        self._saved_at = time.monotonic()
        seconds = self._saved_at - began
        if self._context.ranks.rank == 0:
            self._context.log_all(state.step, {"checkpoint/seconds": seconds})
            self._lead.compare(seconds)
        return seconds
