"""A fresh run of the counting experiment, which is installed as a plug-in for these tests."""

from collections.abc import Callable
from pathlib import Path

import pytest

from chorale.cli.carry import stages_of
from chorale.core.config import ConfigTree, validate
from chorale.runs.directory import Run, open_or_create
from chorale.runs.registry import find_experiment

RunMaker = Callable[..., Run]


@pytest.fixture
def new_run(tmp_path: Path, counting: Path) -> RunMaker:
    """Make a run of the counting experiment with its first stages declared, placed below the test's own folder."""

    def make(**values: object) -> Run:
        where = {"runs": str(tmp_path / "runs"), "cache": str(tmp_path / "cache"), "tracking": "disabled"}
        experiment = find_experiment("counting")
        tree = ConfigTree({"experiment": "counting", "where": where, **values}, {})
        config = validate(experiment.config_class, tree)
        run = open_or_create(config, "test")
        run.declare(stages_of(experiment, config))
        return run

    return make
