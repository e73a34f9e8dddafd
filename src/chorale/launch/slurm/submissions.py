"""Which Slurm jobs carry a stage: written into the run before anybody needs to know.

``stages/<stage>/submission.<n>.json`` is made exclusively before ``sbatch`` is called, and filled with the job's id
after. A submission that has no id was interrupted in between; its job, if there is one, bears the stage's comment.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from chorale.core import files
from chorale.runs.contract import Stage
from chorale.runs.directory import Run
from chorale.runs.items import ItemRecord


@dataclass(frozen=True)
class Submission:
    """One call of ``sbatch`` for one stage.

    Attributes:
        number: 1 for the first.
        items: The items that the job's tasks carry, in the order of their array index.
        attempts: For each of them the attempt it stood at when it was submitted; one that was reopened since differs.
        job: The job's id; empty while it is not known.
        comment: What the job was labelled with.
    """

    number: int
    items: tuple[int, ...]
    attempts: tuple[int, ...]
    job: str = ""
    comment: str = ""

    def job_of(self, index: int) -> str:
        """Return the id of the job, or of the array task, that carries item ``index``."""
        return f"{self.job}_{self.items.index(index)}" if len(self.items) > 1 else self.job

    def carries(self, record: ItemRecord) -> bool:
        """Say whether this submission is for the item as it stands now."""
        return (record.index, record.attempt) in zip(self.items, self.attempts, strict=True)


def comment_of(run: Run, stage: str, number: int) -> str:
    """Return the label of a submission's job, unique among all runs."""
    return f"chorale:{run.identity}:{stage}:{number}"


def read_submissions(run: Run, stage: str) -> list[Submission]:
    """Return a stage's submissions, oldest first."""
    found = []
    for path in run.stage_directory(stage).glob("submission.*.json"):
        tree = files.read_json(path)
        found.append(Submission(**{**tree, "items": tuple(tree["items"]), "attempts": tuple(tree["attempts"])}))
    return sorted(found, key=lambda submission: submission.number)


def open_submission(run: Run, stage: Stage, records: Sequence[ItemRecord], number: int) -> Submission | None:
    """Take the right to submit items of a stage; None if another process has it."""
    items, attempts = tuple(r.index for r in records), tuple(r.attempt for r in records)
    submission = Submission(number, items, attempts, comment=comment_of(run, stage.name, number))
    made = files.create_exclusively(_path(run, stage.name, number), json.dumps(asdict(submission)))
    return submission if made else None


def close_submission(run: Run, stage: str, submission: Submission, job: str) -> Submission:
    """Record the id of a submission's job."""
    closed = replace(submission, job=job)
    files.write_json(_path(run, stage, submission.number), asdict(closed))
    return closed


def drop_submission(run: Run, stage: str, submission: Submission) -> None:
    """Give the right to submit back: ``sbatch`` refused."""
    _path(run, stage, submission.number).unlink(missing_ok=True)


def _path(run: Run, stage: str, number: int) -> Path:
    return run.stage_directory(stage) / f"submission.{number}.json"
