"""Names of the stages of a run, and of the files that they leave. No heavy imports: the command line loads this."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chorale.core import files
from chorale.runs.directory import Run

HEADS_STAGE = "heads"
"""Of a rendered corpus: makes every speaker's head."""
RENDER_STAGE = "render"
"""Draws the clips."""
LISTS_STAGE = "lists"
"""Lists the clips and splits them."""
FACES_STAGE = "faces"
"""Finds, judges and cuts out the faces."""
STORE_STAGE = "store"
"""Gathers what was kept."""
LISTEN_STAGE = "listen"
"""Pre-trains the speech encoder."""
EMOTION_STAGE, IDENTITY_STAGE = "teach-emotion", "teach-identity"
"""Train the teachers."""
SUMMARY_STAGE = "summary"
"""Puts the figures together."""

TRAININGS: dict[str, tuple[str, ...]] = {
    "corpus": (),
    "listen": (LISTEN_STAGE,),
    "teach": (LISTEN_STAGE, EMOTION_STAGE, IDENTITY_STAGE),
}
"""Stages that train, by mode."""

LISTS_FILE = "lists.json"
"""Below the artifacts: every clip with its part, and where the store lies."""
SHEETS_FOLDER = "sheets"
"""Below the artifacts: a sheet for each shard, with a frame of each clip, kept or dropped."""
REPORT_FILE = "clips.csv"
"""Below the artifacts: what became of each clip."""
ENCODER_FILE = "networks/encoder.pt"
"""Below the artifacts: the speech encoder's state dictionary."""


def read_lists(run: Run) -> dict[str, Any]:
    """Return what the stage ``lists`` wrote: ``store``, ``parts`` (the part of each clip by its key), ``clips``."""
    lists: dict[str, Any] = files.read_json(run.artifacts / LISTS_FILE)
    return lists


def teacher_file(told: str) -> str:
    """Return where a teacher's state dictionary is, below the artifacts; it tells ``emotion`` or ``speaker``."""
    return f"networks/teacher-{told}.pt"


def store_folder(cache: Path, lists: dict[str, Any]) -> Path:
    """Return where the prepared faces of a run lie in the cache."""
    return cache / "faces" / str(lists["store"])


def shard_name(shard: int) -> str:
    """Return the file name of a shard."""
    return f"faces-{shard:05d}.h5"
