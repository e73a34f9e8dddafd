"""What must be equal between a disturbed run and an undisturbed one: every result and every metric, bit for bit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chorale.runs.directory import Run
from chorale.runs.events import read_events
from chorale.runs.items import State

_OWN_PREFIXES = ("attempt/", "checkpoint/", "time/")
"""Metrics of one attempt: when it began, how long a save took."""
_OWN_NAMES = ("seconds",)
"""Metrics that are measured times."""
_OWN_KEYS = ("seconds", "source", "attempt", "host", "page")
"""Keys of results that tell about the machine, not about the work."""


@dataclass(frozen=True)
class Account:
    """What a run did, apart from when and where.

    Attributes:
        metrics: By ``stage/item/name/step``; attempts merged.
        results: By ``stage/item``, as JSON text.
    """

    metrics: Mapping[str, float]
    results: Mapping[str, str]

    @property
    def size(self) -> int:
        """How much was done; grows as a run goes on."""
        return len(self.metrics) + len(self.results)

    def digest(self) -> str:
        """Return a hash of everything in the account; equal accounts have equal ones, bit for bit."""
        lines = [f"{key} {value.hex()}" for key, value in sorted(self.metrics.items())]
        lines += [f"{key} {value}" for key, value in sorted(self.results.items())]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def account(run: Run) -> Account:
    """Return what a run has done so far."""
    metrics: dict[str, float] = {}
    results: dict[str, str] = {}
    for name, stage in run.stages().items():
        for record in run.items(stage):
            key = f"{name}/{record.index}"
            if record.state is State.DONE:
                results[key] = json.dumps(_without_own(record.result), sort_keys=True)
            for event in read_events(run.events, name, record.index):
                if not event.name.startswith(_OWN_PREFIXES) and event.name not in _OWN_NAMES:
                    metrics[f"{key}/{event.rank}/{event.name}/{event.step}"] = event.value
    return Account(metrics, results)


def differences(one: Account, other: Account) -> list[str]:
    """Return a line for each metric or result that is not the same in both, bit for bit."""
    lines = []
    for key in sorted({*one.metrics, *other.metrics}):
        mine, theirs = one.metrics.get(key), other.metrics.get(key)
        # Bits, not values: NaN equals NaN here, and -0.0 differs from 0.0.
        if (mine.hex() if mine is not None else None) != (theirs.hex() if theirs is not None else None):
            lines.append(f"{key}: {mine} and {theirs}")
    for key in sorted({*one.results, *other.results}):
        if one.results.get(key) != other.results.get(key):
            lines.append(f"{key}: {one.results.get(key)} and {other.results.get(key)}")
    return lines


def _without_own(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_own(inner) for key, inner in value.items() if key not in _OWN_KEYS}
    if isinstance(value, list):
        return [_without_own(inner) for inner in value]
    return value
