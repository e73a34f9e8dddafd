"""The programs of the bench: this project's own, and those of other frameworks, each with an environment of its own.

The others are no dependencies: what they need is installed into a folder of the cache when it is asked for, and their
programs import nothing of this project.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from chorale.core.errors import WorkError
from chorale.core.files import read_json
from chorale.core.logs import get_logger
from chorale.ranks.mpiexec import mpi_environment, mpiexec

# As many ranks as cores, and whoever else works here: a rank that waits in MPI is to leave its core to others.
_YIELDING = {"OMPI_MCA_mpi_yield_when_idle": "1"}
_LONGEST_S = 1800
_TAIL_LETTERS = 600
_log = get_logger(__name__)


@dataclass(frozen=True)
class Framework:
    """Another framework.

    Attributes:
        name: Short, for options and tables.
        title: As it calls itself.
        packages: What ``pip install`` is told.
        program: File in this folder.
        over_mpi: Whether its processes are ranks of MPI.
    """

    name: str
    title: str
    packages: tuple[str, ...]
    program: str
    over_mpi: bool = False

    def environment(self, cache: Path) -> Path:
        """Return the folder of its environment."""
        return cache / "bench" / self.name

    def python(self, cache: Path) -> Path:
        """Return its Python, whether or not it is there."""
        return self.environment(cache) / "bin" / "python"


FLOWER = Framework("flower", "Flower's simulation", ("flwr[simulation]",), "flower_program.py")
# Its own choice of torch is one for GPUs, gigabytes of it; this environment's version is known to come without.
APPFL = Framework(
    "appfl",
    "APPFL over MPI",
    (f"torch=={version('torch').partition('+')[0]}", "appfl[mpi]"),
    "appfl_program.py",
    over_mpi=True,
)
FRAMEWORKS = (FLOWER, APPFL)


def install(framework: Framework, cache: Path) -> Path:
    """Make a framework's environment, unless it stands, and return its Python.

    Raises:
        WorkError: It cannot be installed.
    """
    python = framework.python(cache)
    if not python.exists():
        folder = framework.environment(cache)
        _log.info("%s: installing %s into %s", framework.name, " ".join(framework.packages), folder)
        unfinished = folder.with_name(f"{folder.name}.new")
        venv.create(unfinished, clear=True, with_pip=True)
        words = [str(unfinished / "bin" / "python"), "-m", "pip", "install", "--quiet", *framework.packages]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise WorkError(f"{framework.name} cannot be installed: {done.stderr.strip()[-_TAIL_LETTERS:]}")
        # Only what is complete gets the name; Python finds its packages beside itself.
        unfinished.rename(folder)
    return python


def rank_program(work: Path, result: Path) -> list[str]:
    """Return the words of one rank of a federation without training."""
    return [sys.executable, "-m", "chorale.experiments.fedtts.bench.rank", str(work), str(result)]


def run_ranks(work: Path, result: Path, ranks: int) -> dict[str, Any]:
    """Carry the rounds out by so many ranks on this machine and return what rank 0 wrote.

    Raises:
        WorkError: They failed.
    """
    return _run([*mpiexec(ranks), *rank_program(work, result)], result)


def run_framework(framework: Framework, python: Path, work: Path, result: Path, ranks: int) -> dict[str, Any]:
    """Carry the rounds out by another framework, with as many processes, and return what its program wrote.

    Raises:
        WorkError: It failed.
    """
    words = [str(python), str(Path(__file__).with_name(framework.program)), str(work), str(result)]
    return _run([*mpiexec(ranks), *words] if framework.over_mpi else words, result)


def _run(words: list[str], result: Path) -> dict[str, Any]:
    result.unlink(missing_ok=True)
    try:
        done = subprocess.run(
            words,
            env={**mpi_environment(), **_YIELDING},
            capture_output=True,
            text=True,
            check=False,
            timeout=_LONGEST_S,
        )
    except subprocess.TimeoutExpired as error:
        raise WorkError(f"{words[-3]} did not end within {_LONGEST_S} s") from error
    if done.returncode != 0 or not result.exists():
        raise WorkError(f"{words[-3]} ended with status {done.returncode}: {done.stderr.strip()[-_TAIL_LETTERS:]}")
    told: dict[str, Any] = read_json(result)
    return told
