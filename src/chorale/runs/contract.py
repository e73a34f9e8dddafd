"""The contract between an experiment and everything that carries it out.

An experiment DECLARES stages; a launcher that knows no model runs them. A stage names its function by import path and
its items by JSON values, so that a declaration can be written to the run's directory, read on another host and years
later, and carried out there. A stage's function may return further stages: the search breeds its next generation so.
"""

from __future__ import annotations

import argparse
import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, Literal, TypeVar

from pydantic import BeforeValidator, Field, JsonValue, model_validator

from chorale.core.config import Config
from chorale.core.errors import WorkError
from chorale.runs.placement import Where

if TYPE_CHECKING:
    from chorale.runs.context import Context
    from chorale.runs.directory import Run
    from chorale.runs.parts import Part

StageFunction = Callable[["Context", Any], "Outcome | None"]
"""What a stage runs, once for each item: ``function(context, config)``."""


class ExperimentConfig(Config):
    """What every experiment's configuration has in common."""

    experiment: str
    """Name of the experiment, as its package's entry point gives it."""
    seed: int = Field(0, ge=0)
    """Root of every random draw."""
    where: Where = Where()
    """Placement; outside the run's identity."""


ConfigT = TypeVar("ConfigT", bound=ExperimentConfig)


class Resources(Config):
    """What one item of a stage wishes for; a cluster's template and profile fill in what is not said."""

    cpus: int | None = Field(None, ge=1)
    """CPU cores per process."""
    memory_gb: float | None = Field(None, gt=0)
    """Memory per node, GiB."""
    minutes: int | None = Field(None, ge=1)
    """Time limit."""
    gpus: int | None = Field(None, ge=0)
    """GPUs per node."""
    nodes: int | None = Field(None, ge=1)
    """Hosts."""
    ranks_per_node: int | None = Field(None, ge=1)
    """Processes per host."""
    per_task: int | None = Field(None, ge=1)
    """Items of an array that one task of the job does one after the other, where each is small; 1 if not given."""


def import_path(function: StageFunction | str) -> str:
    """Return ``module:name`` of a module-level function, by which any process can find it again."""
    if isinstance(function, str):
        return function
    return f"{function.__module__}:{function.__qualname__}"


class Stage(Config):
    """One step of an experiment: a function, its items, and what must have ended before."""

    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    """Key within the run: a stage that is declared again under its name is the same stage."""
    function: Annotated[str, BeforeValidator(import_path)]
    """``module:name``; a module-level function may be given and is turned into this."""
    needs: tuple[str, ...] = ()
    """Stages that must have ended. They may be declared later, by a stage that is still to run."""
    kind: Literal["task", "array", "ranks", "mpi"] = "task"
    """``task``: one process; ``array``: one process per item; ``ranks``, ``mpi``: one group of processes."""
    items: tuple[JsonValue, ...] = (None,)
    """What the function is called with, one at a time, as ``context.item``."""
    tolerant: bool = False
    """A failed item does not fail the stage: stages that need it go on and read which items failed."""
    resources: Resources = Resources()

    @model_validator(mode="after")
    def _one_item_unless_array(self) -> Stage:
        if self.kind != "array" and len(self.items) != 1:
            raise ValueError(f"stage {self.name} has {len(self.items)} items, but only an array may")
        return self

    def load(self) -> StageFunction:
        """Import the stage's function.

        Raises:
            WorkError: There is no such function in this installation.
        """
        module, _, name = self.function.partition(":")
        try:
            function: StageFunction = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise WorkError(f"stage {self.name}: cannot import {self.function} ({error})") from error
        return function


@dataclass(frozen=True)
class Outcome:
    """What a stage's function gives back for one item.

    Attributes:
        result: A small JSON value, kept in the run's directory; later stages read it with ``context.results``.
        stages: Further stages, to be carried out from now on.
    """

    result: JsonValue = None
    stages: Sequence[Stage] = ()


@dataclass(frozen=True)
class Command:
    """A verb of an experiment's own, such as ``chorale autovector score``.

    Attributes:
        name: The verb.
        help: One line.
        add_arguments: Declares options on an ``argparse`` parser; must import nothing heavy.
        run: Carries the verb out and returns a JSON value; the command line prints it with ``--json``.
        render: The same value as text for a person.
        examples: Lines for ``--help``.
    """

    name: str
    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], JsonValue]
    render: Callable[[Any], str] = field(default=str)
    examples: Sequence[str] = ()


@dataclass(frozen=True)
class Traffic:
    """Rounds of MPI ranks whose bytes are known before, to measure links by.

    Attributes:
        program: What every rank runs.
        result: File that rank 0 writes in the end, JSON: ``round_s`` and ``compute_s``, seconds of each round;
            ``down_bytes`` and ``up_bytes``, of all rounds together, by rank.
        down_bytes: Of a round: lengths of the buffers that rank 0 hands to MPI, by receiving rank.
        up_bytes: Of a round: lengths of those that it gets, by sending rank.
        seconds: Predicts a round's from the links' rate in 10^6 bits per second and the seconds of computing in it.
    """

    program: Sequence[str]
    result: Path
    down_bytes: Mapping[int, int]
    up_bytes: Mapping[int, int]
    seconds: Callable[[float, float], float]


@dataclass(frozen=True)
class Bench(Command):
    """A measurement that an experiment brings along, ``chorale bench NAME``; what counts are ratios within one run.

    Attributes:
        traffic: What it does between hosts, for ``chorale bench links``: ``traffic(directory, ranks, rounds, share)``
            writes what the ranks need into a directory that all hosts see; ``share`` is of the usual bytes, above 0.
    """

    traffic: Callable[[Path, int, int, float], Traffic] | None = None


@dataclass(frozen=True)
class Claims:
    """What ``chorale claims`` carries out for an experiment, and how it tells what came of it.

    Attributes:
        config: File name of the comparison's configuration, below ``configs/<experiment>/``.
        fits: Says whether a configuration is of such a comparison; the user may name another than ``config``.
        render: Turns the result of the run's final stage into Markdown: heading, claims, figures.
    """

    config: str
    fits: Callable[[Any], bool]
    render: Callable[[Any], str]


class Experiment(ABC, Generic[ConfigT]):
    """An experiment, found by name through the entry points ``chorale.experiments``.

    The module that holds a subclass must import quickly: ``chorale --help`` loads it. Heavy imports belong inside the
    functions of its stages.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    final_stage: ClassVar[str]
    """The stage whose end is the end of the run: the report is made after it."""
    config_class: type[ConfigT]

    def prepare(self, config: ConfigT) -> None:
        """Fetch what the stages need, where the user types: compute nodes often have no network."""

    @abstractmethod
    def stages(self, config: ConfigT) -> Sequence[Stage]:
        """Return the stages known from the start."""

    @abstractmethod
    def report(self, run: Run, config: ConfigT) -> Sequence[Part]:
        """Return the parts of the run's page, in reading order; works for a run that has not ended too."""

    def commands(self) -> Sequence[Command]:
        """Return the experiment's own verbs."""
        return ()

    def benches(self) -> Sequence[Bench]:
        """Return what ``chorale bench`` measures of the experiment."""
        return ()

    def claims(self) -> Claims | None:
        """Return the comparison that tests the claims of the experiment's paper; None if there is none."""
        return None
