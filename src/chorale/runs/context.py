"""What a stage's function is handed: its item, the run, its ranks, where to log, and whether to stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from chorale.core.errors import WorkError
from chorale.ranks.group import Group, SingleProcess
from chorale.runs.contract import Stage
from chorale.runs.directory import Run
from chorale.runs.events import EventWriter
from chorale.runs.items import ItemRecord
from chorale.runs.placement import Where
from chorale.runs.stopping import StopFlag


@dataclass(frozen=True)
class Context:
    """One attempt at one item, as its function sees it.

    Attributes:
        run: The run's directory.
        stage: The stage, as declared.
        index: Position of the item in it.
        attempt: 1 for the first try.
        events: Where metrics go.
        where: Placement: device, threads, cache.
        ranks: The processes that share this item.
        stop: True once the work should stop: save, then raise ``StoppedError``.
        still_ours: Raises ``SupersededError`` if another attempt holds the item now; to be called before a commit.
    """

    run: Run
    stage: Stage
    index: int
    attempt: int
    events: EventWriter
    where: Where
    ranks: Group = field(default_factory=SingleProcess)
    stop: StopFlag = field(default_factory=StopFlag)
    still_ours: Callable[[], None] = lambda: None

    @property
    def item(self) -> Any:
        """The item's JSON value, as the stage declares it."""
        return self.stage.items[self.index]

    @property
    def artifacts(self) -> Path:
        """Directory for what later stages and people read."""
        return self.run.artifacts

    @property
    def checkpoints(self) -> Path:
        """Directory for this item's checkpoints."""
        return self.run.checkpoints / self.stage.name / f"{self.index:06d}"

    def log(self, step: int, **metrics: float) -> None:
        """Record metrics at ``step``."""
        self.events.log(step, metrics)

    def log_all(self, step: int, metrics: Mapping[str, float]) -> None:
        """Record metrics whose names are not identifiers, such as ``loss/train``."""
        self.events.log(step, metrics)

    def records(self, stage: str) -> list[ItemRecord]:
        """Return how each item of an earlier stage ended.

        Raises:
            WorkError: No such stage was declared.
        """
        declared = self.run.stages().get(stage)
        if declared is None:
            raise WorkError(f"{self.run.name}: there is no stage {stage!r}")
        return self.run.items(declared)

    def result(self, stage: str) -> JsonValue:
        """Return the result of an earlier stage of one item."""
        (record,) = self.records(stage)
        return record.result
