"""What W&B is told: one export per item and one per run, as plain data read from the run's directory."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue

from chorale.core import files
from chorale.core.config import short_hash
from chorale.core.errors import ChoraleError, WorkError
from chorale.runs.contract import Stage
from chorale.runs.directory import Run
from chorale.runs.events import Event, read_events
from chorale.runs.items import ItemRecord, State

_TRAILING_NUMBER = re.compile(r"-\d+$")


@dataclass(frozen=True)
class Export:
    """One W&B run.

    Attributes:
        id: The same for the same piece of work, so that a second export replaces the first.
        name: What the W&B page calls it.
        group: The run's name: all its exports stand together.
        job_type: The stage's name without a trailing number; ``run`` for the run as a whole.
        tags: The experiment's name.
        config: The experiment's configuration, and which piece of it this is.
        history: Per step its number, seconds since the epoch and metrics, in order of step.
        summary: The result, and how it ended.
        failed: Whether W&B should mark it as failed.
    """

    id: str
    name: str
    group: str
    job_type: str
    tags: list[str]
    config: dict[str, Any]
    history: list[tuple[int, float, dict[str, float]]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    failed: bool = False


def export_item(run: Run, stage: str, index: int) -> Export:
    """Describe one item of a stage: its merged events, what it was given, and its result.

    Raises:
        WorkError: The run has no such stage or the stage no such item.
    """
    declared = run.stages().get(stage)
    if declared is None or not 0 <= index < len(declared.items):
        raise WorkError(f"{run.name}: there is no item {index} of a stage {stage!r}")
    record = run.items(declared)[index]
    piece = {"item": declared.items[index], "stage": stage, "index": index}
    return Export(
        id=short_hash(f"{run.identity}/{stage}/{index}"),
        name=f"{stage}/{index}" if declared.kind == "array" else stage,
        group=run.name,
        job_type=_TRAILING_NUMBER.sub("", stage),
        tags=[run.experiment.name],
        config={**_config(run), **piece},
        history=_history(read_events(run.events, stage, index)),
        summary=_summary(record),
        failed=record.state in (State.FAILED, State.CANCELLED),
    )


def export_run(run: Run) -> Export:
    """Describe the run as a whole: configuration, code, how its stages stand, and the final stage's result."""
    stages = run.stages()
    final = stages.get(run.experiment.final_stage)
    summary: dict[str, Any] = _summary(run.items(final)[0]) if final else {"state": State.PENDING.value}
    summary["stages"] = {name: _count_states(run, stage) for name, stage in stages.items()}
    return Export(
        id=short_hash(run.identity),
        name=run.directory.name,
        group=run.name,
        job_type="run",
        tags=[run.experiment.name],
        config=_config(run),
        summary=summary,
        failed=summary["state"] in (State.FAILED, State.CANCELLED),
    )


def _config(run: Run) -> dict[str, Any]:
    config: dict[str, Any] = run.config.model_dump(mode="json", exclude={"where"})
    try:
        code = files.read_json(run.directory / "code.json")
    except ChoraleError:
        code = {}
    return {**config, "run": run.name, "identity": run.identity, "code": {"commit": code.get("commit")}}


def _summary(record: ItemRecord) -> dict[str, JsonValue]:
    result = record.result if isinstance(record.result, dict) else {"result": record.result}
    ending: dict[str, JsonValue] = {
        "state": record.state.value,
        "attempt": record.attempt,
        "host": record.host,
        "job": record.job,
        "seconds": record.seconds,
        "failure": record.failure.value if record.failure else None,
        "message": record.message,
    }
    told = {key: value for key, value in ending.items() if value not in (None, "")}
    return {**told, **{key: value for key, value in result.items() if value is not None}}


def _count_states(run: Run, stage: Stage) -> dict[str, int]:
    counts: dict[str, int] = {}
    for record in run.items(stage):
        counts[record.state.value] = counts.get(record.state.value, 0) + 1
    return counts


def _history(events: list[Event]) -> list[tuple[int, float, dict[str, float]]]:
    history = []
    for step, group in itertools.groupby(events, key=lambda event: event.step):
        at_step = list(group)
        # Rank 0 speaks for the item; another rank's figures stand under a name of their own.
        metrics = {f"{e.name}/rank-{e.rank}" if e.rank else e.name: e.value for e in at_step}
        history.append((step, max(event.time_s for event in at_step), metrics))
    return history
