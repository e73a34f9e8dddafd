"""Where the ranks of a job meet: Slurm's variables as those that torch.distributed and DeepSpeed read."""

from __future__ import annotations

import os

from chorale.ranks.environment import read_environment

# Below Linux's ephemeral ports (from 32768), where another job's connection may sit; above what services use.
_FIRST_PORT = 20_000
_PORTS = 10_000


def set_rendezvous() -> None:
    """Set ``RANK``, ``WORLD_SIZE``, ``LOCAL_RANK``, ``LOCAL_WORLD_SIZE``, ``MASTER_ADDR`` and ``MASTER_PORT``.

    To be called inside each task: outside, Slurm's variables are those of the batch script. The port comes from the
    job's id, so that jobs which share a node do not meet each other's.
    """
    from submitit import JobEnvironment

    environment = read_environment()
    job = int(os.environ["SLURM_JOB_ID"])
    os.environ.update(
        RANK=str(environment.rank),
        WORLD_SIZE=str(environment.world_size),
        LOCAL_RANK=str(environment.local_rank),
        LOCAL_WORLD_SIZE=str(environment.local_size),
        LOCAL_SIZE=str(environment.local_size),
        MASTER_ADDR=JobEnvironment().hostnames[0],
        MASTER_PORT=str(_FIRST_PORT + job % _PORTS),
    )
