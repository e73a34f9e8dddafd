"""The run's directory: the whole truth of a run, readable without the program.

``config.yaml`` (complete), ``where.yaml`` (the latest placement), ``status.json``, ``code.json``, ``stages/``,
``events/``, ``checkpoints/``, ``artifacts/``, ``logs/``, ``report/``. Its identity is the hash of its configuration
without placement: the same configuration is the same run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from chorale.core import files
from chorale.core.config import ConfigTree, parse_yaml, validate
from chorale.core.errors import InputError, WorkError
from chorale.runs.code import describe_code
from chorale.runs.contract import Experiment, ExperimentConfig, Stage
from chorale.runs.items import ItemRecord, read_items
from chorale.runs.placement import Where
from chorale.runs.registry import find_experiment

_PLACEMENT = {"where"}


@dataclass(frozen=True)
class Run:
    """A run's directory.

    Attributes:
        directory: Absolute path.
    """

    directory: Path

    @cached_property
    def experiment(self) -> Experiment[Any]:
        """The experiment that this run is of."""
        return find_experiment(self._written["experiment"])

    @cached_property
    def config(self) -> Any:
        """The validated configuration, with the latest placement."""
        values = {**self._written, "where": self._tree("where.yaml")}
        path = self.directory / "config.yaml"
        return validate(self.experiment.config_class, ConfigTree(values, {key: str(path) for key in values}))

    @property
    def identity(self) -> str:
        """The hash of the configuration without placement, 12 hexadecimal digits."""
        return self.directory.name.rpartition("-")[2]

    @property
    def name(self) -> str:
        """``<experiment>/<name>-<identity>``, the run's path below its root."""
        return f"{self.directory.parent.name}/{self.directory.name}"

    @property
    def events(self) -> Path:
        """Directory of the event files."""
        return self.directory / "events"

    @property
    def artifacts(self) -> Path:
        """Directory of what stages leave for people and for later stages."""
        return self.directory / "artifacts"

    @property
    def checkpoints(self) -> Path:
        """Directory of what trainings have saved, by stage and item."""
        return self.directory / "checkpoints"

    @property
    def logs(self) -> Path:
        """Directory of logs and of the launcher's files."""
        return self.directory / "logs"

    @property
    def report_page(self) -> Path:
        """The report's page."""
        return self.directory / "report" / "index.html"

    def stage_directory(self, stage: str) -> Path:
        """Directory of a stage's declaration and attempts."""
        return self.directory / "stages" / stage

    def declare(self, stages: Iterable[Stage]) -> None:
        """Write stages into the run; one that is declared already stays as it is, for names are keys."""
        for stage in stages:
            path = self.stage_directory(stage.name) / "stage.json"
            files.create_exclusively(path, json.dumps(stage.model_dump(mode="json"), indent=1))

    def stages(self) -> dict[str, Stage]:
        """Return the declared stages by name, in the order of their declaration's names.

        Raises:
            WorkError: A declaration is damaged.
        """
        found = {}
        for path in sorted(self.directory.glob("stages/*/stage.json")):
            try:
                found[path.parent.name] = Stage.model_validate(files.read_json(path))
            except ValueError as error:
                raise WorkError(f"{path}: not a stage ({error})", "delete it and start the run again") from error
        return found

    def stage_names(self) -> set[str]:
        """Return the names of the declared stages, without reading their declarations."""
        return {path.parent.name for path in self.directory.glob("stages/*/stage.json")}

    def items(self, stage: Stage) -> list[ItemRecord]:
        """Return how each item of a stage stands."""
        return read_items(self.stage_directory(stage.name), len(stage.items))

    @cached_property
    def _written(self) -> dict[str, Any]:
        # Never written again, other than where.yaml.
        return self._tree("config.yaml")

    def _tree(self, name: str) -> dict[str, Any]:
        path = self.directory / name
        try:
            tree = parse_yaml(path.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise InputError(f"{self.directory}: not a run's directory ({name}: {error})") from error
        if not isinstance(tree, dict):
            raise InputError(f"{path}: damaged", "start the run again from its configuration")
        return tree


def open_or_create(config: ExperimentConfig, name: str) -> Run:
    """Return the run of ``config`` below its run root, made if it is new.

    Args:
        config: The configuration; its placement says where runs are kept.
        name: What people call it; the first name given to a configuration stays.

    Raises:
        InputError: The run root cannot be written.
    """
    where = config.where
    run = Run(directory_of(config, name))
    files.require_writable(run.directory.parent)
    if not (run.directory / "config.yaml").exists():
        files.write_json(run.directory / "code.json", describe_code())
        _write_yaml(run.directory / "where.yaml", where.model_dump(mode="json"))
        # The configuration comes last: a directory without it is not a run yet, and is begun again.
        _write_yaml(run.directory / "config.yaml", config.model_dump(mode="json", exclude=_PLACEMENT))
    return run


def directory_of(config: ExperimentConfig, name: str) -> Path:
    """Return where the run of ``config`` is, or would be; the first name given to a configuration stays."""
    identity = config.identity(exclude=_PLACEMENT)
    root = config.where.runs / config.experiment
    known = sorted(root.glob(f"*-{identity}"))
    return known[0] if known else root / f"{name}-{identity}"


def place(run: Run, where: Where) -> None:
    """Record where the run is carried out from now on."""
    _write_yaml(run.directory / "where.yaml", where.model_dump(mode="json"))
    run.__dict__.pop("config", None)


def find_run(text: str, root: Path) -> Run:
    """Return the run that a user means: a directory, or a unique part of a name or identity below ``root``.

    Raises:
        InputError: No run or several match.
    """
    direct = Path(text)
    if (direct / "config.yaml").is_file():
        return Run(direct.absolute())
    matches = [run for run in all_runs(root) if text in run.name]
    if len(matches) == 1:
        return matches[0]
    if not matches:
        raise InputError(f"{text}: no such run below {root}", "`chorale status` lists the runs")
    raise InputError(f"{text}: {len(matches)} runs match", f"one of {', '.join(run.name for run in matches[:3])}")


def all_runs(root: Path) -> Sequence[Run]:
    """Return the runs below ``root``, newest first."""
    found = [path.parent for path in root.glob("*/*/config.yaml")]
    return [Run(path.absolute()) for path in sorted(found, key=lambda path: -path.stat().st_mtime)]


def _write_yaml(path: Path, tree: Any) -> None:
    files.write_text(path, yaml.safe_dump(tree, sort_keys=True, allow_unicode=True))
