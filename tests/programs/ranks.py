"""Start a program as several ranks on this machine: without a launcher, or by ``mpiexec`` where Horovod wants MPI."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from small_training import Scenario

from chorale.ranks.mpiexec import mpi_environment, mpiexec

PROGRAM = Path(__file__).with_name("small_training.py")
TIME_LIMIT_S = 110


def need(backend: str) -> None:
    """Skip where the backend is not installed."""
    module = {"ddp": "torch", "horovod": "horovod"}.get(backend, "deepspeed")
    if find_spec(module) is None:
        pytest.skip(f"{module} is not installed: run make native")
    if backend == "horovod" and shutil.which("mpiexec") is None:
        pytest.skip("mpiexec is not installed: run make native as root")


def start(
    scenarios: Sequence[Scenario], folder: Path, size: int, mpi: bool = False, **environment: str
) -> list[subprocess.Popen[str]]:
    """Start ``size`` ranks that carry out ``scenarios``; they write ``results.json`` into ``folder``."""
    return start_program(PROGRAM, [asdict(scenario) for scenario in scenarios], folder, size, mpi, **environment)


def start_program(
    program: Path, scenarios: Sequence[Any], folder: Path, size: int, mpi: bool = False, **environment: str
) -> list[subprocess.Popen[str]]:
    """Start ``size`` ranks of ``program``, which is told where ``scenarios`` are and where to write its results.

    Returns the ranks' processes; for ``mpi`` that of ``mpiexec``, which tells the program by the variable ``GROUP``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scenarios.json").write_text(json.dumps(scenarios))
    command = [sys.executable, str(program), str(folder / "scenarios.json"), str(folder / "results.json")]
    if mpi:
        return start_mpi(command, folder, size, GROUP="mpi", **environment)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    shared = {
        **_outside(os.environ),
        "OMP_NUM_THREADS": "1",
        "DS_ACCELERATOR": "cpu",
        "WORLD_SIZE": str(size),
        "LOCAL_WORLD_SIZE": str(size),
        "LOCAL_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        **environment,
    }
    return [_process(command, folder, {**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)}) for rank in range(size)]


def start_mpi(command: Sequence[str], folder: Path, size: int, **environment: str) -> list[subprocess.Popen[str]]:
    """Start ``mpiexec`` with ``size`` ranks of ``command``."""
    # Other addresses of the machine, some of which lead nowhere, would be tried first.
    own = {"OMPI_MCA_oob_tcp_if_include": "lo", "OMPI_MCA_btl_tcp_if_include": "lo"}
    return [_process([*mpiexec(size), *command], folder, {**_outside(mpi_environment()), **own, **environment})]


def _outside(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out what would make a process take itself for a rank of those that run this test."""
    ranks = ("SLURM_", "PMIX_", "OMPI_COMM_WORLD_")
    return {name: value for name, value in environment.items() if not name.startswith(ranks)}


def _process(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, cwd=folder, text=True, stdout=pipe, stderr=pipe)


def carry_out_on(scenarios: Sequence[Scenario], folder: Path, size: int) -> list[dict[str, Any]]:
    """Carry out ``scenarios``, all with one backend, on ``size`` ranks and return how each ended."""
    mpi = scenarios[0].backend["kind"] == "horovod"
    results: list[dict[str, Any]] = results_of(start(scenarios, folder, size, mpi), folder)
    return results


def results_of(processes: Sequence[subprocess.Popen[str]], folder: Path) -> Any:
    """Wait until all ranks have ended well, and return what they wrote."""
    try:
        told = [process.communicate(timeout=TIME_LIMIT_S) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert all(process.returncode == 0 for process in processes), "\n".join(errors[-3000:] for _, errors in told)
    return json.loads((folder / "results.json").read_text())
