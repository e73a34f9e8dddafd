"""A federation under mpirun: the same bits for any number of ranks, and what becomes of it when ranks die."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from small_federation import Scenario, as_json, carry_out

pytestmark = pytest.mark.distributed
PROGRAM = Path(__file__).parents[1] / "programs" / "small_federation.py"
TIME_LIMIT_S = 90
CODECS: dict[str, dict[str, Any]] = {
    "none": {},
    "int8": {"down": {"kind": "int8"}, "up": {"kind": "int8"}},
    "top-k": {"down": {"kind": "top-k", "share": 0.3}, "up": {"kind": "top-k", "share": 0.3}},
}
BASE: dict[str, Any] = {"clients": 9, "rounds": 5}


class Ended(NamedTuple):
    """How a group of ranks ended."""

    status: int
    results: list[dict[str, Any]]
    errors: str
    seconds: float


def mpirun(scenarios: Sequence[Scenario], ranks: int, folder: Path) -> Ended:
    """Carry out scenarios on ``ranks`` ranks."""
    if shutil.which("mpirun") is None or find_spec("mpi4py") is None:
        pytest.skip("mpirun or mpi4py is not installed: run make native as root")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMPI_", "PMIX_", "SLURM_"))}
    environment = {
        **kept,
        "OMP_NUM_THREADS": "1",
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
        "OMPI_MCA_oob_tcp_if_include": "lo",
        "OMPI_MCA_btl_tcp_if_include": "lo",
    }
    folder.mkdir(parents=True, exist_ok=True)
    asked, answered = folder / "scenarios.json", folder / "results.json"
    asked.write_text(as_json(scenarios))
    answered.unlink(missing_ok=True)
    command = ["mpirun", "--oversubscribe", "--bind-to", "none", "-np", str(ranks)]
    began = time.monotonic()
    process = subprocess.Popen(
        [*command, sys.executable, str(PROGRAM), str(asked), str(answered)],
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        _, errors = process.communicate(timeout=TIME_LIMIT_S)
    finally:
        process.kill()
    results = json.loads(answered.read_text()) if answered.exists() else []
    return Ended(process.returncode, results, errors, time.monotonic() - began)


def well(scenarios: Sequence[Scenario], ranks: int, folder: Path) -> list[dict[str, Any]]:
    """Carry out scenarios that end well."""
    ended = mpirun(scenarios, ranks, folder)
    assert ended.status == 0, ended.errors
    return ended.results


def same(one: dict[str, Any], other: dict[str, Any], physical: bool = False) -> None:
    keys = ["hash", "metrics", "logical", *(["physical"] if physical else [])]
    plain = json.loads(json.dumps(other))
    assert [key for key in keys if one[key] != plain[key]] == []


def variants(folder: Path) -> list[Scenario]:
    """Each codec, adding up in the rank and not."""
    return [
        Scenario(str(folder / f"{name}-{adds_up}"), {**BASE, **codec, "aggregate_in_rank": adds_up}, growth="grow")
        for name, codec in CODECS.items()
        for adds_up in (True, False)
    ]


@pytest.fixture(scope="module")
def without_mpi(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What comes out in this process, by codec."""
    folder = tmp_path_factory.mktemp("without")
    found = {}
    for name, codec in CODECS.items():
        result = carry_out(Scenario(str(folder / name), {**BASE, **codec}, growth="grow"))
        assert result is not None
        found[name] = result
    return found


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_any_number_of_ranks_comes_to_the_bits_of_one_process(ranks, without_mpi, tmp_path):
    results = well(variants(tmp_path), ranks, tmp_path)
    names = [name for name in CODECS for _ in (True, False)]
    for name, result in zip(names, results, strict=True):
        same(result, without_mpi[name])
        assert bool(result["physical"]) == (ranks > 1)


def test_adding_up_in_the_rank_sends_fewer_bytes_where_a_rank_has_many_clients(tmp_path):
    config = {"clients": 24, "rounds": 2}
    scenarios = [Scenario(str(tmp_path / str(flag)), {**config, "aggregate_in_rank": flag}) for flag in (True, False)]
    added_up, one_by_one = (
        sum(row[-1] for row in result["physical"] if row[3] == "up") for result in well(scenarios, 2, tmp_path)
    )
    assert added_up < one_by_one / 2


@pytest.mark.parametrize("codec", CODECS)
def test_killed_in_the_middle_of_a_round_and_gone_on_it_ends_as_if_nothing_had_happened(codec, tmp_path):
    config = {**BASE, **CODECS[codec]}
    killed = Scenario(str(tmp_path / "killed"), config, growth="grow", kill=(2, 3), how="kill", stops=(None, None))
    assert mpirun([killed], 3, tmp_path).status != 0
    # The killed one is gone on from by as many ranks, and a copy of it by another number.
    shutil.copytree(tmp_path / "killed", tmp_path / "other")
    gone_on = replace(killed, first_attempt=2)
    undisturbed = Scenario(str(tmp_path / "undisturbed"), config, growth="grow")
    result, expected = well([gone_on, undisturbed], 3, tmp_path)
    assert result["first_steps"] == [0, 3]
    same(result, expected, physical=True)
    (other,) = well([replace(gone_on, directory=str(tmp_path / "other"))], 2, tmp_path)
    assert other["first_steps"] == [0, 3]
    same(other, expected)


def test_asked_to_stop_again_and_again_ranks_save_and_go_on(tmp_path):
    config = {**BASE, "strategy": {"kind": "scaffold"}, "up": {"kind": "int8"}}
    stopped = Scenario(str(tmp_path / "1"), config, stops=(0, 2, None))
    undisturbed = Scenario(str(tmp_path / "2"), config)
    result, expected = well([stopped, undisturbed], 3, tmp_path)
    assert result["first_steps"] == [0, 1, 3]
    same(result, expected, physical=True)


def test_a_thousand_clients_on_four_ranks_take_seconds(tmp_path):
    config = {"clients": 1000, "rounds": 2, "train": False, "evaluate_every": 100}
    (result,) = well([Scenario(str(tmp_path / "1"), config, noise_values=8000)], 4, tmp_path)
    assert result["seconds"] < 30
    assert len({row[1] for row in result["logical"]}) == 1000


def test_with_drop_a_rank_that_falls_silent_is_gone_on_without(tmp_path):
    config = {**BASE, "participation": {"lost_rank": "drop"}, "up": {"kind": "top-k"}}
    made = Scenario(str(tmp_path / "1"), config, kill=(2, 2), how="stop", timeout_s=6.0)
    ended = mpirun([made], 4, tmp_path)
    assert ended.status == 0, ended.errors
    assert "its 2 clients count as dropped from now on" in ended.errors
    (result,) = ended.results
    assert [value for _, name, value in result["metrics"] if name == "clients/dropped"] == [0, 0, 2, 2, 2]
    assert {row[1] for row in result["logical"] if row[0] == 4} == {0, 1, 3, 4, 5, 7, 8}


def test_with_stop_a_rank_that_falls_silent_ends_the_run_and_is_named(tmp_path):
    made = Scenario(str(tmp_path / "1"), BASE, kill=(2, 2), how="stop", timeout_s=6.0)
    ended = mpirun([made], 3, tmp_path)
    assert ended.status != 0
    assert ended.seconds < 60
    assert "FAILED rank 0: LostRankError: rank 0: rank 2 on" in ended.errors


def test_a_killed_rank_ends_all_of_open_mpi_so_that_drop_cannot_be_had_there(tmp_path):
    config = {**BASE, "participation": {"lost_rank": "drop"}}
    made = Scenario(str(tmp_path / "1"), config, kill=(2, 2), how="kill", timeout_s=30.0)
    ended = mpirun([made], 3, tmp_path)
    assert ended.status == 137
    assert ended.results == []
