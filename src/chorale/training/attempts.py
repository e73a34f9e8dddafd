"""The attempts at one item: where each began and ended, on which host, and what ended it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from chorale.runs.directory import Run
from chorale.runs.events import event_file
from chorale.runs.items import State, read_attempts


@dataclass(frozen=True)
class AttemptRow:
    """One attempt, for a table.

    Attributes:
        attempt: 1, 2, ...
        host: Where its rank 0 ran.
        job: Its job.
        first_step: Steps done when it began; None if it never came to train.
        last_step: The last step it has logged; None likewise.
        seconds: Wall time; None if it could not say.
        ended: ``done``, ``running``, or what ended it.
        message: One line about that.
    """

    attempt: int
    host: str
    job: str
    first_step: int | None
    last_step: int | None
    seconds: float | None
    ended: str
    message: str

    @property
    def executed(self) -> int:
        """Steps that it did, as far as it has logged them."""
        return 0 if self.first_step is None or self.last_step is None else self.last_step - self.first_step


def attempt_table(run: Run, stage: str, index: int) -> list[AttemptRow]:
    """Return a row for each attempt at an item, oldest first.

    An attempt that left no word and was followed by another is ``killed``: whoever took over found it dead.
    """
    attempts = read_attempts(run.stage_directory(stage), index)
    rows = []
    for record in attempts:
        steps = _steps(run, stage, index, record.attempt)
        ended = record.failure.value if record.failure is not None else record.state.value
        if record.state is State.RUNNING and record.attempt < len(attempts):
            ended = "killed"
        first, last = (min(steps), max(steps)) if steps else (None, None)
        rows.append(
            AttemptRow(record.attempt, record.host, record.job, first, last, record.seconds, ended, record.message)
        )
    return rows


def _steps(run: Run, stage: str, index: int, attempt: int) -> list[int]:
    path = event_file(run.events, stage, index, attempt, rank=0)
    if not path.exists():
        return []
    # A writer that was killed leaves at most its last line unfinished.
    whole = [line for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]
    return [json.loads(line)["step"] for line in whole]
