"""How processes joined by MPI are started on this machine: by ``mpiexec``, the system's or the one that PyPI ships."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from chorale.core.errors import MissingExtraError


def mpiexec(ranks: int) -> list[str]:
    """Return the words to put before a program so that so many processes run it; they end with this process.

    Raises:
        MissingExtraError: No ``mpiexec`` is installed.
    """
    # The one in this environment comes first: it fits the library that mpi4py finds there.
    beside = Path(sys.executable).parent / "mpiexec"
    found = str(beside) if beside.exists() else shutil.which("mpiexec")
    if found is None:
        raise MissingExtraError("an MPI with mpiexec", "mpi-wheel")
    words = [found, "-n", str(ranks)]
    told = subprocess.run([found, "--version"], capture_output=True, text=True, check=False, env=mpi_environment())
    if "open" in told.stdout.lower():
        # Ranks are not more than cores by mistake here, and binding would put other workers' ranks on one core.
        words += ["--oversubscribe", "--bind-to", "none"]
    dies_with_parent = shutil.which("setpriv")
    return [dies_with_parent, "--pdeathsig", "TERM", *words] if dies_with_parent else words


def mpi_environment() -> dict[str, str]:
    """Return the environment for ``mpiexec``: one thread a rank, and waits that yield, unless the user says otherwise.

    Open MPI refuses to work for root unless told, as in a container.
    """
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"} if os.getuid() == 0 else {}
    # Ranks, and Horovod's threads beside them, may be more than cores: who waits gives way to who works.
    chosen = {"OMP_NUM_THREADS": "1", "OMPI_MCA_mpi_yield_when_idle": "1"}
    # Copies between processes by this call are forbidden in many containers; the other way is as good.
    return {**chosen, **os.environ, **root, "OMPI_MCA_btl_vader_single_copy_mechanism": "none"}
