"""Which Slurm jobs carry a stage: written into the run before anybody needs to know.

``stages/<stage>/submission.<n>.json`` is made exclusively before ``sbatch`` is called, and filled with the job's id
after. A submission that has no id was interrupted in between; its job, if there is one, bears the stage's comment.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

from chorale.core import files
from chorale.runs.contract import Stage
from chorale.runs.directory import Run
from chorale.runs.items import ItemRecord

# A controller under load may take a minute to answer; after two, whoever asked it is dead.
_SBATCH_AT_MOST_S = 120.0


@dataclass(frozen=True)
class Submission:
    """One call of ``sbatch`` for one stage.

    Attributes:
        number: 1 for the first.
        items: The items that the job's tasks carry, in the order of their array index.
        attempts: For each of them the attempt it stood at when it was submitted; one that was reopened since differs.
        job: The job's id; empty while it is not known.
        comment: What the job was labelled with.
        per_task: How many items each task of the job carries, one after the other.
    """

    number: int
    items: tuple[int, ...]
    attempts: tuple[int, ...]
    job: str = ""
    comment: str = ""
    per_task: int = 1

    @property
    def tasks(self) -> int:
        """How many tasks the job has; one task is a plain job, more are an array."""
        return math.ceil(len(self.items) / self.per_task)

    @cached_property
    def _places(self) -> dict[int, int]:
        return {index: place for place, index in enumerate(self.items)}

    def items_of(self, task: int) -> tuple[int, ...]:
        """Return the items that task ``task`` carries, in the order in which it does them."""
        return self.items[task * self.per_task : (task + 1) * self.per_task]

    def job_of(self, index: int) -> str:
        """Return the id of the job, or of the array task, that carries item ``index``."""
        return f"{self.job}_{self._places[index] // self.per_task}" if self.tasks > 1 else self.job

    def carries(self, record: ItemRecord) -> bool:
        """Say whether this submission is for the item as it stands now."""
        place = self._places.get(record.index)
        return place is not None and self.attempts[place] == record.attempt


def comment_of(run: Run, stage: str, number: int) -> str:
    """Return the label of a submission's job, unique among all runs."""
    return f"chorale:{run.identity}:{stage}:{number}"


def read_submissions(run: Run, stage: str) -> list[Submission]:
    """Return a stage's submissions, oldest first."""
    numbers = [int(path.name.split(".")[1]) for path in run.stage_directory(stage).glob("submission.*.json")]
    return [read_submission(run, stage, number) for number in sorted(numbers)]


def read_submission(run: Run, stage: str, number: int) -> Submission:
    """Return one submission of a stage."""
    tree = files.read_json(_path(run, stage, number))
    return Submission(**{**tree, "items": tuple(tree["items"]), "attempts": tuple(tree["attempts"])})


def open_submission(
    run: Run, stage: Stage, records: Sequence[ItemRecord], number: int, per_task: int = 1
) -> Submission | None:
    """Take the right to submit items of a stage; None if another process has it."""
    items, attempts = tuple(r.index for r in records), tuple(r.attempt for r in records)
    comment = comment_of(run, stage.name, number)
    submission = Submission(number, items, attempts, comment=comment, per_task=per_task)
    made = files.create_exclusively(_path(run, stage.name, number), json.dumps(asdict(submission)))
    return submission if made else None


def close_submission(run: Run, stage: str, submission: Submission, job: str) -> Submission:
    """Record the id of a submission's job."""
    closed = replace(submission, job=job)
    files.write_json(_path(run, stage, submission.number), asdict(closed))
    return closed


def was_left_open(run: Run, stage: str, submission: Submission) -> bool:
    """Say whether a submission without a job is older than any call of ``sbatch`` takes: nobody will fill it in."""
    opened = _path(run, stage, submission.number).stat().st_mtime
    return not submission.job and time.time() - opened > _SBATCH_AT_MOST_S


def drop_submission(run: Run, stage: str, submission: Submission) -> None:
    """Give the right to submit back: ``sbatch`` refused."""
    _path(run, stage, submission.number).unlink(missing_ok=True)


def _path(run: Run, stage: str, number: int) -> Path:
    return run.stage_directory(stage) / f"submission.{number}.json"
