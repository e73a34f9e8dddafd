"""Names of the stages of a run, and of the files that they leave. No heavy imports: the command line loads this."""

from __future__ import annotations

from pathlib import Path

from chorale.runs.directory import Run

TEACHER_STAGE = "teacher"
"""Trains the teacher on labelled images, or checks the user's own."""
DISTIL_STAGE = "distil"
"""Lets a student learn from it."""
ARMS_STAGE = "arms"
"""Of a comparison: every arm with every seed."""
SUMMARY_STAGE = "summary"
"""Puts the figures together."""

TEACHER_FILE = "teacher/teacher.pt"
"""The teacher's state dictionary, below the artifacts; beside it ``teacher.json`` says how it came about."""
TEACHER_RECORD = "teacher/teacher.json"
FORECAST_FILE = "forecast.json"
"""How long the run will take, said before it starts."""
STUDENT_FILE, GENERATOR_FILE = "student.pt", "generator.pt"
"""State dictionaries, in the folder of networks."""
SUMMARY_FILE = "summary.json"
"""The figures of the run, below the artifacts."""


def sheets_folder(run: Run) -> Path:
    """Return where the sheets of generated images lie."""
    return run.artifacts / "sheets"


def networks_folder(run: Run, arm: str | None = None) -> Path:
    """Return where student and generator lie: of the run's one distillation, or of an arm's first seed."""
    return run.artifacts / "student" if arm is None else run.artifacts / "arms" / arm
