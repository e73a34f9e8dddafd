"""Experiments by name, through package entry points: another package's experiment plugs in without a change here."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterator
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution, entry_points
from typing import Any

from chorale.core.errors import InputError
from chorale.runs.contract import Experiment

_GROUP = "chorale.experiments"


def experiment_names() -> list[str]:
    """Return the names of the installed experiments, without importing them."""
    return sorted(point.name for point in entry_points(group=_GROUP))


def find_experiment(name: str) -> Experiment[Any]:
    """Return the experiment called ``name``.

    Raises:
        InputError: None is installed under that name.
    """
    for point in _points():
        if point.name == name:
            experiment: Experiment[Any] = point.load()()
            return experiment
    names = experiment_names()
    near = difflib.get_close_matches(name, names, n=1)
    remedy = f"did you mean {near[0]}?" if near else f"installed are: {', '.join(names) or 'none'}"
    raise InputError(f"experiment {name!r} is not installed", remedy)


def _points() -> Iterator[EntryPoint]:
    """Yield the project's own experiments first: to find others, the metadata of every installed package is read."""
    with contextlib.suppress(PackageNotFoundError):
        yield from distribution("chorale").entry_points.select(group=_GROUP)
    yield from entry_points(group=_GROUP)
