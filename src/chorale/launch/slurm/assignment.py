"""On what the stages of a run are carried out: a template and resources for each, kept in the run's directory."""

from __future__ import annotations

import fnmatch
from typing import Any

from pydantic import Field

from chorale.core import files
from chorale.core.config import Config
from chorale.runs.contract import Resources, Stage
from chorale.runs.directory import Run

_FILE = "launch.json"
_TEMPLATES = {"task": "task", "array": "array", "ranks": "multi-node", "mpi": "mpi"}


class On(Config):
    """What a stage runs on."""

    template: str | None = None
    """Name of a template in ``slurm/`` or a path; the one for the stage's kind if not given."""
    resources: Resources = Resources()
    """What is set here wins over the stage's own wishes."""


class Assignment(Config):
    """Which cluster a run was submitted to, and on what its stages run there."""

    cluster: str
    """Profile name or path."""
    stages: dict[str, On] = Field(default_factory=dict)
    """By stage name; ``generation-*`` stands for every generation, the first match counts."""

    def on(self, stage: Stage) -> On:
        """Return what ``stage`` runs on, with the template and resources decided."""
        chosen = next((on for pattern, on in self.stages.items() if fnmatch.fnmatch(stage.name, pattern)), On())
        wished = {**_given(stage.resources), **_given(chosen.resources)}
        # The wish is for one item; a task that does several, one after the other, needs as many times as long.
        if stage.kind == "array" and "minutes" in wished:
            wished["minutes"] *= wished.get("per_task", 1)
        return On(template=chosen.template or _TEMPLATES[stage.kind], resources=Resources(**wished))

    def per_task(self, stage: Stage) -> int:
        """Return how many of a stage's items each task of its jobs does."""
        return (self.on(stage).resources.per_task or 1) if stage.kind == "array" else 1


def write_assignment(run: Run, assignment: Assignment) -> None:
    """Keep the assignment: jobs submit the stages that are declared later."""
    files.write_json(run.directory / _FILE, assignment.model_dump(mode="json"))


def read_assignment(run: Run) -> Assignment:
    """Return the assignment of a run that was submitted."""
    return Assignment.model_validate(files.read_json(run.directory / _FILE))


def was_submitted(run: Run) -> bool:
    """Say whether the run was ever submitted to a cluster."""
    return (run.directory / _FILE).exists()


def _given(resources: Resources) -> dict[str, Any]:
    return {key: value for key, value in resources.model_dump().items() if value is not None}
