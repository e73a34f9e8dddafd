"""Read rank and size from whatever started this process: Slurm, torchrun, MPI, or nothing."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class RankEnvironment:
    """One process's place among those started together.

    Attributes:
        rank: 0 to ``world_size - 1``.
        world_size: Number of processes.
        local_rank: Rank among the processes on this host.
        local_size: Number of processes on this host.
        source: ``"torchrun"``, ``"slurm"``, ``"mpi"`` or ``"none"``.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    local_size: int = 1
    source: str = "none"


_VARIABLES: tuple[tuple[str, tuple[str, str, str, str]], ...] = (
    ("torchrun", ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")),
    (
        "mpi",
        ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"),
    ),
)


def read_environment(variables: Mapping[str, str] | None = None) -> RankEnvironment:
    """Return this process's place, from ``variables`` (default: the environment).

    Slurm's variables are trusted only inside a job step: a batch script, and a shell from ``salloc``, carry the
    job's ``SLURM_NTASKS`` but are one process.
    """
    environment = os.environ if variables is None else variables
    for source, names in _VARIABLES:
        if all(name in environment for name in names):
            rank, world_size, local_rank, local_size = (int(environment[name]) for name in names)
            return RankEnvironment(rank, world_size, local_rank, local_size, source)
    in_step = environment.get("SLURM_STEP_ID", "").isdigit() and "SLURM_PROCID" in environment
    if in_step and "SLURM_STEP_NUM_TASKS" in environment:
        per_node = environment.get("SLURM_STEP_TASKS_PER_NODE", "1").split(",")[0].split("(")[0]
        return RankEnvironment(
            rank=int(environment["SLURM_PROCID"]),
            world_size=int(environment["SLURM_STEP_NUM_TASKS"]),
            local_rank=int(environment.get("SLURM_LOCALID", "0")),
            local_size=int(per_node),
            source="slurm",
        )
    return RankEnvironment()


def host_name() -> str:
    """Return the name of this host, without its domain."""
    return socket.gethostname().split(".")[0]
