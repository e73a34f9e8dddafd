"""Start a program as several ranks on this machine, without a launcher."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from small_training import Scenario

PROGRAM = Path(__file__).with_name("small_training.py")
TIME_LIMIT_S = 110


def need(backend: str) -> None:
    """Skip where the backend is not installed."""
    if backend != "ddp" and find_spec("deepspeed") is None:
        pytest.skip("deepspeed is not installed: run make native")


def start(scenarios: Sequence[Scenario], folder: Path, size: int, **environment: str) -> list[subprocess.Popen[str]]:
    """Start ``size`` ranks that carry out ``scenarios``; they write ``results.json`` into ``folder``."""
    return start_program(PROGRAM, [asdict(scenario) for scenario in scenarios], folder, size, **environment)


def start_program(
    program: Path, scenarios: Sequence[Any], folder: Path, size: int, **environment: str
) -> list[subprocess.Popen[str]]:
    """Start ``size`` ranks of ``program``, which is told where ``scenarios`` are and where to write its results."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scenarios.json").write_text(json.dumps(scenarios))
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "OMPI_", "PMIX_"))}
    shared = {
        **kept,
        "OMP_NUM_THREADS": "1",
        "DS_ACCELERATOR": "cpu",
        "WORLD_SIZE": str(size),
        "LOCAL_WORLD_SIZE": str(size),
        "LOCAL_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        **environment,
    }
    command = [sys.executable, str(program), str(folder / "scenarios.json"), str(folder / "results.json")]
    return [
        subprocess.Popen(
            command,
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            cwd=folder,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for rank in range(size)
    ]


def carry_out_on(scenarios: Sequence[Scenario], folder: Path, size: int) -> list[dict[str, Any]]:
    """Carry out ``scenarios`` on ``size`` ranks and return how each ended."""
    results: list[dict[str, Any]] = results_of(start(scenarios, folder, size), folder)
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
