"""The same configuration is the same run; a live process that drives one refuses a second."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from chorale.core.config import ConfigTree, validate
from chorale.core.errors import InputError
from chorale.runs.directory import Run, all_runs, find_run, open_or_create, place
from chorale.runs.items import State
from chorale.runs.placement import Where
from chorale.runs.registry import find_experiment
from chorale.runs.status import driving, read_status, write_status

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("counting")]


def begin(root: Path, name: str = "tiny", **values: object) -> Run:
    experiment = find_experiment("counting")
    where = {"runs": str(root), **values.pop("where", {})}  # type: ignore[dict-item]
    tree = ConfigTree({"experiment": "counting", "where": where, **values}, {})
    return open_or_create(validate(experiment.config_class, tree), name)


def test_the_same_configuration_under_another_name_and_placement_is_the_same_run(tmp_path: Path) -> None:
    first = begin(tmp_path, seed=3)
    assert begin(tmp_path, name="other", seed=3, where={"threads": 4}) == first
    assert begin(tmp_path, seed=4) != first
    assert first.directory.name == f"tiny-{first.identity}"


def test_the_directory_holds_the_complete_configuration_and_the_code(tmp_path: Path) -> None:
    run = begin(tmp_path, seed=3)
    tree = yaml.safe_load((run.directory / "config.yaml").read_text())
    assert (tree["seed"], tree["numbers"]) == (3, 4)
    assert "where" not in tree
    assert '"torch"' in (run.directory / "code.json").read_text()


def test_a_run_is_read_back_with_its_latest_placement(tmp_path: Path) -> None:
    run = begin(tmp_path)
    assert run.config.where.threads == 1
    place(run, Where(runs=tmp_path, threads=2))
    assert run.config.where.threads == 2
    assert Run(run.directory).config.where.threads == 2


def test_a_run_is_found_by_directory_or_part_of_its_name(tmp_path: Path) -> None:
    run, other = begin(tmp_path, seed=1), begin(tmp_path, seed=2)
    assert find_run(str(run.directory), tmp_path) == run
    assert find_run(other.identity[:8], tmp_path) == other
    assert set(all_runs(tmp_path)) == {run, other}
    with pytest.raises(InputError, match="2 runs match"):
        find_run("tiny", tmp_path)
    with pytest.raises(InputError, match="no such run"):
        find_run("huge", tmp_path)


def test_an_uninstalled_experiment_suggests_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean counting"):
        find_experiment("countin")


def test_a_live_driver_refuses_a_second_and_a_dead_one_does_not(tmp_path: Path) -> None:
    run = begin(tmp_path)
    live = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    write_status(run, State.RUNNING, driver={"host": os.uname().nodename.split(".")[0], "pid": live.pid}, attempt=1)
    with pytest.raises(InputError, match=f"driven by process {live.pid}"), driving(run):
        pass
    live.communicate(b"\n")
    with driving(run):
        assert read_status(run)["attempt"] == 2
    assert read_status(run)["driver"] is None
