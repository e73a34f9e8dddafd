"""Events: every metric with its step and attempt; one writer per file, readers merge.

``events/<stage>/<item>.<attempt>-<rank>.jsonl`` holds one JSON object a line: ``{"t": seconds since the epoch,
"step": int, "metrics": {name: number}}``. For each (metric, step) the highest attempt wins, so a run that was
interrupted and went on has one history.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple

from chorale.core.errors import InputError

_ASK_EVERY_S = 1.0
_NON_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


class Event(NamedTuple):
    """One metric at one step."""

    name: str
    step: int
    value: float
    time_s: float
    attempt: int
    rank: int


class EventWriter:
    """Appends metrics to one file, opened at the first.

    Args:
        path: ``<item>.<attempt>-<rank>.jsonl``; no other process writes it.
        still_ours: Raises if another attempt holds the item now. A process that was frozen and wakes asks it before it
            writes anything.
    """

    def __init__(self, path: Path, still_ours: Callable[[], None] = lambda: None) -> None:
        self.path = path
        self._still_ours = still_ours
        self._asked = time.monotonic()
        self._file: IO[str] | None = None

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Append ``metrics`` at ``step``; on disk when this returns, as far as other processes can see.

        Raises:
            SupersededError: Another attempt holds the item.
        """
        if time.monotonic() - self._asked > _ASK_EVERY_S:
            self._still_ours()
            self._asked = time.monotonic()
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a", encoding="utf-8")
        plain = {name: float(value) for name, value in metrics.items()}
        # JSON has no NaN; a diverged loss is worth seeing all the same.
        encoded = {name: value if math.isfinite(value) else str(value) for name, value in plain.items()}
        self._file.write(json.dumps({"t": round(time.time(), 3), "step": step, "metrics": encoded}) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file, if any was opened."""
        if self._file is not None:
            # Every line was flushed; one that could not be written has raised where it was logged.
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None


def event_file(events: Path, stage: str, index: int, attempt: int, rank: int) -> Path:
    """Return the file that one rank of one attempt at one item writes."""
    return events / stage / f"{index:06d}.{attempt}-{rank}.jsonl"


def read_events(events: Path, stage: str, index: int) -> list[Event]:
    """Return the merged history of one item, in order of step and name, from all ranks and attempts.

    Raises:
        InputError: A line that is not the file's last is damaged.
    """
    merged: dict[tuple[str, int, int], Event] = {}
    for path in sorted((events / stage).glob(f"{index:06d}.*.jsonl")):
        for event in _read_file(path):
            key = (event.name, event.step, event.rank)
            if key not in merged or merged[key].attempt <= event.attempt:
                merged[key] = event
    return sorted(merged.values(), key=lambda event: (event.step, event.name, event.rank))


def _read_file(path: Path) -> Iterator[Event]:
    attempt, rank = (int(part) for part in path.name.removesuffix(".jsonl").split(".")[1].split("-"))
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            for name, value in record["metrics"].items():
                number_value = _NON_FINITE[value] if isinstance(value, str) else float(value)
                yield Event(name, record["step"], number_value, record["t"], attempt, rank)
        except (ValueError, KeyError, TypeError) as error:
            # A writer that was killed leaves at most its last line unfinished.
            if number == len(lines) and not line.endswith("\n"):
                return
            raise InputError(f"{path}: line {number} is damaged ({error})", "delete that line") from error
