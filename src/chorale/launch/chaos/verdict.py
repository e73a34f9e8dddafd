"""What must hold of a disturbed run besides equal numbers: it went on, it did not begin anew, it did little twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chorale.launch.chaos.disturbing import Kill
from chorale.runs.directory import Run
from chorale.runs.events import event_file, read_events
from chorale.training.attempts import AttemptRow, attempt_table

_CHECKPOINT = "checkpoint/seconds"


@dataclass(frozen=True)
class ItemAttempts:
    """All attempts at one item, in a disturbed run.

    Attributes:
        stage: Its stage.
        item: Its index.
        attempts: Oldest first.
        kills: For each attempt the kinds of kill that hit it.
        steps: Steps of the undisturbed training; None where the item trains nothing.
        interval: Most steps between two of its checkpoints.
        committed_by: The first attempt that committed a checkpoint; None if none did.
    """

    stage: str
    item: int
    attempts: Sequence[AttemptRow]
    kills: Sequence[Sequence[str]]
    steps: int | None
    interval: int
    committed_by: int | None

    @property
    def executed(self) -> int:
        """Steps done over all attempts, as far as they were logged."""
        return sum(row.executed for row in self.attempts)

    @property
    def allowed(self) -> int:
        """Steps that may have been done: each kill may cost what lies between two checkpoints."""
        return (self.steps or 0) + sum(len(kinds) for kinds in self.kills) * self.interval

    def faults(self) -> list[str]:
        """Return a line for each thing that should not have happened."""
        name = f"{self.stage} item {self.item}"
        told = []
        for row in self.attempts:
            later = self.committed_by is not None and row.attempt > self.committed_by
            if later and row.first_step == 0:
                told.append(f"{name}: attempt {row.attempt} began anew, though attempt {self.committed_by} had saved")
        if self.steps is not None and self.executed > self.allowed:
            told.append(f"{name}: {self.executed} steps were executed, and at most {self.allowed} were allowed")
        return told


def attempts_of(wild: Run, calm: Run, kills: Sequence[Kill]) -> list[ItemAttempts]:
    """Return the attempts at each item of the disturbed run that trains or needed more than one, stage by stage."""
    found = []
    for name, stage in wild.stages().items():
        for index in range(len(stage.items)):
            # An item that was made pending again has an attempt that nobody has taken up.
            rows = [row for row in attempt_table(wild, name, index) if row.host]
            undisturbed = attempt_table(calm, name, index)
            steps = max((row.last_step for row in undisturbed if row.last_step is not None), default=None)
            trains = any(row.first_step is not None for row in undisturbed)
            if not trains and len(rows) < 2:
                continue
            hits = [[kill.kind for kill in kills if kill.hits((name, index, row.attempt))] for row in rows]
            interval, first = _interval(calm, name, index), _first_to_commit(wild, name, index, rows)
            found.append(ItemAttempts(name, index, rows, hits, steps if trains else None, interval, first))
    return found


def _interval(calm: Run, stage: str, index: int) -> int:
    saved = [event.step for event in read_events(calm.events, stage, index) if event.name == _CHECKPOINT]
    return max((after - before for before, after in zip([0, *saved], saved, strict=False)), default=0)


def _first_to_commit(wild: Run, stage: str, index: int, rows: Sequence[AttemptRow]) -> int | None:
    for row in rows:
        path = event_file(wild.events, stage, index, row.attempt, rank=0)
        if path.exists() and _CHECKPOINT in path.read_text(encoding="utf-8"):
            return row.attempt
    return None
