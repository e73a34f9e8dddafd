"""Horovod beside MPI: ranks that MPI has started and that train one network together add up their tensors with it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from chorale.core.errors import InputError, MissingExtraError, WorkError
from chorale.ranks.group import Group, PeerLostError

if TYPE_CHECKING:
    from torch import Tensor


def join(group: Group) -> None:
    """Join the ranks of ``group``, once in a process; called on ALL ranks.

    Raises:
        MissingExtraError: Horovod is not installed, or was built without MPI.
        WorkError: The ranks are not joined by MPI.
        InputError: This MPI cannot be used by Horovod's thread beside ours.
    """
    horovod = _import()
    if horovod.is_initialized():
        return
    from mpi4py import MPI

    if MPI.COMM_WORLD.Get_size() != group.size:
        raise WorkError("backend.kind: horovod needs ranks that MPI has joined", "declare the stage's kind as mpi")
    if MPI.Query_thread() < MPI.THREAD_MULTIPLE:
        raise InputError(
            "this MPI library serves one thread at a time, and Horovod needs one beside the training",
            "load an MPI with MPI_THREAD_MULTIPLE, or set backend.kind to ddp",
        )
    # Milliseconds between two looks for sums to do. Batch statistics are small sums that a rank stands still for: with
    # Horovod's own 1 ms, each took four times as long.
    os.environ.setdefault("HOROVOD_CYCLE_TIME", "0.1")
    horovod.init(comm=MPI.COMM_WORLD)


def joined() -> Any:
    """Return Horovod's module if this process has joined others by it, else None; imports nothing."""
    horovod = sys.modules.get("horovod.torch")
    return horovod if horovod is not None and horovod.is_initialized() else None


def add_up(horovod: Any, value: Tensor) -> None:
    """Replace ``value``, contiguous, by its sum over ranks; called on ALL ranks with the same shape.

    Raises:
        PeerLostError: Another rank has failed.
    """
    from horovod.common.exceptions import HorovodInternalError

    # Sums under one name must not overlap, which they cannot here; a name that comes again is agreed on faster.
    name = f"chorale.{value.dtype}.{'x'.join(map(str, value.shape))}"
    try:
        horovod.allreduce_(value, op=horovod.Sum, name=name)
    except HorovodInternalError as error:
        raise PeerLostError(
            f"rank {horovod.rank()}: another rank has left in the middle of the work: {_first_line(error)}",
            "look into the logs of the other ranks; this attempt ends here",
        ) from error


def leave() -> None:
    """Leave, for this rank has failed: who waits for it in a sum, or comes to one, gets an error at once."""
    horovod = joined()
    if horovod is not None:
        horovod.shutdown()


def _import() -> Any:
    how = "build it, in a checkout of chorale, with: make native"
    try:
        import horovod.torch as horovod
    except ImportError as error:
        raise MissingExtraError("horovod", "horovod", how) from error
    if not horovod.mpi_built():
        raise MissingExtraError("a Horovod with MPI", "horovod", how)
    return horovod


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]
