"""What MPI itself takes for an exchange: the yardstick for everything that is built on it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np

from chorale.core.errors import MissingExtraError

_TAG = 1


def exchange_seconds(down: Mapping[int, int], up: Mapping[int, Sequence[int]], passes: int) -> list[float]:
    """Return how long rank 0 spends in each of so many exchanges; called on ALL ranks of MPI's world.

    Rank 0 sends every other rank a buffer, to all at the same time, and then takes their buffers. Buffers are allocated
    and touched before, receives are posted with their sizes known, and nothing is looked at: no faster way is known.
    The time is of the transfers alone, each phase begun by all ranks together.

    Args:
        down: Bytes of the buffer to each other rank.
        up: Bytes of the buffers from each other rank, in the order in which it sends them.
        passes: Exchanges, after one that is not counted.

    Returns:
        On rank 0 the seconds; nothing on the others.

    Raises:
        MissingExtraError: mpi4py is not installed.
    """
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise MissingExtraError("mpi4py", "mpi") from error
    world = MPI.COMM_WORLD
    rank = world.Get_rank()
    peers = [peer for peer in down if rank in (0, peer)]
    downs = {peer: np.ones(down[peer], np.uint8) for peer in peers}
    ups = {peer: [np.ones(n_bytes, np.uint8) for n_bytes in up[peer]] for peer in peers}
    seconds: list[float] = []
    for _ in range(passes + 1):
        world.Barrier()
        began = time.perf_counter()
        if rank == 0:
            MPI.Request.Waitall([world.Isend([downs[peer], MPI.BYTE], dest=peer, tag=_TAG) for peer in peers])
        else:
            world.Recv([downs[rank], MPI.BYTE], source=0, tag=_TAG)
        between = time.perf_counter() - began
        world.Barrier()
        began = time.perf_counter()
        if rank == 0:
            pending = [
                world.Irecv([each, MPI.BYTE], source=peer, tag=_TAG)
                for peer, several in ups.items()
                for each in several
            ]
            MPI.Request.Waitall(pending)
        else:
            for each in ups[rank]:
                world.Send([each, MPI.BYTE], dest=0, tag=_TAG)
        seconds.append(between + time.perf_counter() - began)
    return seconds[1:] if rank == 0 else []
