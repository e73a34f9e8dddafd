"""Cluster profiles: what is special about one Slurm cluster, in ``slurm/clusters/NAME.yaml``."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from chorale.core.config import Config, load
from chorale.core.errors import InputError
from chorale.launch.slurm.places import slurm_directory

# What a job's own environment says about that job must not reach a job submitted from inside it: an inherited
# SLURM_CPU_BIND binds the new one to the old one's cores. SLURM_CONF says which cluster this is, and stays.
_JOB_PREFIXES = ("SLURM_", "SBATCH_", "SRUN_", "SALLOC_", "PMI_", "PMIX_", "OMPI_", "SUBMITIT_", "CHORALE_SRUN")
_KEPT = ("SLURM_CONF", "OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM")


class Cluster(Config):
    """A Slurm cluster as a user of it sees it."""

    description: str = ""
    """One line."""
    partition: str | None = None
    """Partition; the cluster's default if not given."""
    account: str | None = None
    """Account to charge."""
    qos: str | None = None
    """Quality of service."""
    modules: tuple[str, ...] = ()
    """Modules to load in every job, before the template's set-up."""
    setup: tuple[str, ...] = ()
    """Lines of shell to run in every job, before the template's set-up."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Variables for Slurm's commands and for the jobs; ``${NAME}`` and ``${NAME:-default}`` are replaced."""
    path: tuple[str, ...] = ()
    """Directories put before ``PATH``, for Slurm's commands and for the jobs."""
    sbatch: dict[str, str | bool] = Field(default_factory=dict)
    """Further ``sbatch`` options, such as ``constraint: gpu``; these win over the template."""
    max_array_size: int = Field(1001, ge=2)
    """Slurm's ``MaxArraySize``: indices run below it."""
    throttle: int = Field(256, ge=1)
    """How many tasks of one array may run at once."""
    max_minutes: int | None = Field(None, ge=1)
    """The longest time limit that the partition allows."""


def find_cluster(name: str) -> Cluster:
    """Return the profile called ``name``, or at that path.

    Raises:
        InputError: There is none, or it is not valid.
    """
    path = Path(name) if name.endswith(".yaml") else slurm_directory() / "clusters" / f"{name}.yaml"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in (slurm_directory() / "clusters").glob("*.yaml")))
        raise InputError(f"cluster {name!r}: no profile {path}", f"profiles are: {known}")
    return load(Cluster, path)


@contextlib.contextmanager
def reaching(cluster: Cluster) -> Iterator[None]:
    """Set the environment for Slurm's commands while the block runs: the cluster's, without this process's own job.

    Raises:
        InputError: Slurm's commands are not on the path.
    """
    saved = dict(os.environ)
    try:
        for name in list(os.environ):
            if name.startswith(_JOB_PREFIXES) and name not in _KEPT:
                del os.environ[name]
        for name, value in cluster.environment.items():
            os.environ[name] = _expand(value)
        os.environ["PATH"] = os.pathsep.join([*(_expand(part) for part in cluster.path), saved.get("PATH", "")])
        if shutil.which("sbatch") is None:
            raise InputError("sbatch is not on the PATH", "log in to the cluster, or mend `path:` in its profile")
        yield
    finally:
        os.environ.clear()
        os.environ.update(saved)


def _expand(text: str) -> str:
    """Replace ``${NAME}`` and ``${NAME:-default}`` from the environment, as a shell would."""
    return re.sub(r"\$\{(\w+)(?::-([^}]*))?\}", lambda m: os.environ.get(m[1]) or m[2] or "", text)
