"""What is Horovod's own: ranks that compute only part of a network, and ranks that fail while others wait for them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from horovod_program import alone
from ranks import need, start_mpi
from test_backends import EXACT, relative

pytestmark = pytest.mark.distributed

PROGRAM = Path(__file__).parents[1] / "programs" / "horovod_program.py"
RANKS = 3
PATIENCE_S, LAUNCHED_S = 60.0, 240.0


def carry_out(scenario: str, folder: Path) -> int:
    """Return the exit status of three ranks; fail if they do not come to an end."""
    need("horovod")
    (process,) = start_mpi([sys.executable, str(PROGRAM), scenario, str(folder)], folder, RANKS)
    try:
        process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        # Unlike a kill, this makes mpiexec end its ranks.
        process.terminate()
        process.communicate()
        pytest.fail("the ranks wait for one another for ever")
    return process.returncode


def told(folder: Path) -> dict[int, str]:
    return {int(path.stem.removeprefix("rank-")): path.read_text() for path in folder.glob("rank-*.txt")}


def test_ranks_that_compute_different_parts_or_nothing_sum_what_one_process_computes(tmp_path: Path) -> None:
    assert carry_out("take_part", tmp_path) == 0
    together, one = json.loads((tmp_path / "found.json").read_text()), alone()
    assert {name.split(".")[0] for name in one["gradients"]} == {"first", "second"}
    assert relative(together["gradients"], one["gradients"]) < EXACT
    assert relative(together["parameters"], one["parameters"]) < EXACT
    assert len(set(together["hashes"])) == 1
    assert len(together["hashes"]) == RANKS


def test_who_waits_for_a_rank_that_fails_is_told_so_at_once(tmp_path: Path) -> None:
    assert carry_out("fail_in_a_step", tmp_path) != 0
    lines = told(tmp_path)
    assert lines.pop(RANKS - 1).startswith("ZeroDivisionError")
    assert sorted(lines) == [0, 1]
    assert all(line.startswith("PeerLostError: rank") and "another rank has left" in line for line in lines.values())


def test_ranks_in_a_collective_of_mpi_that_a_failed_rank_never_joins_are_ended(tmp_path: Path) -> None:
    assert carry_out("fail_before_joining", tmp_path) != 0
    assert told(tmp_path) == {RANKS - 1: "ZeroDivisionError: told to"}


def test_a_rank_that_is_killed_takes_the_others_along(tmp_path: Path) -> None:
    assert carry_out("be_killed", tmp_path) != 0
    assert (tmp_path / "died").exists()
    assert not (tmp_path / "found.json").exists()


def fitted(config: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """Run the fitting experiment with Horovod; return the exit status and the record of its only attempt."""
    need("horovod")
    options = (
        "--backend.kind",
        "horovod",
        "--steps",
        "6",
        "--step_s",
        "0",
        "--where.runs",
        str(config.parent / "runs"),
    )
    command = [sys.executable, "-m", "chorale", "run", str(config), *options, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LAUNCHED_S, check=False)
    (path,) = config.parent.glob("runs/fitting/*/stages/fit/000000.1.json")
    return done.returncode, json.loads(path.read_text())


@pytest.fixture
def config(tmp_path: Path, counting: Path) -> Path:
    path = tmp_path / "fit.yaml"
    path.write_text("experiment: fitting\nwhere: {tracking: disabled, retries: 0}\n")
    return path


def test_an_experiment_that_chooses_horovod_gets_the_ranks_of_its_backend(config: Path) -> None:
    status, record = fitted(config, "--backend.ranks_per_node", "2")
    assert (status, record["state"], record["result"]["ranks"]) == (0, "done", 2)


def test_a_rank_that_fails_in_an_experiment_is_a_lost_peer_for_the_attempt(config: Path) -> None:
    status, record = fitted(config, "--backend.nodes", "2", "--fail_at", "3")
    assert (status, record["failure"]) == (1, "lost")
    assert "another rank has left" in record["message"]
