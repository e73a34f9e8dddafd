"""The group of processes that work on one stage; with one process, an object that does nothing, so no caller asks."""

from __future__ import annotations

import atexit
import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol, TypeVar

from chorale.core.errors import InputError, MissingExtraError, WorkError
from chorale.ranks.environment import host_name, read_environment
from chorale.ranks.pause import Pause

T = TypeVar("T")
GroupKind = Literal["ranks", "mpi"]
TIMEOUT_S = 300.0
"""Seconds that a rank waits for another before it gives up, unless told otherwise."""
_MEETING_SLEEP_S = 0.02


class PeerLostError(WorkError):
    """Another rank is gone or does not answer; the fault is not this rank's, and another attempt may do well."""


class Group(Protocol):
    """What a stage may ask of the processes it runs on."""

    rank: int
    size: int

    def barrier(self) -> None:
        """Wait until every rank is here."""

    def broadcast(self, value: T) -> T:
        """Return rank 0's ``value`` on every rank."""

    def gather(self, value: T) -> list[T]:
        """Return every rank's ``value``, in order of rank, on every rank."""

    def agree(self, flag: bool) -> bool:
        """Return True on every rank if ``flag`` is True on any."""

    def total(self, values: Sequence[float]) -> list[float]:
        """Return the sum over ranks of each value, in double precision, on every rank; one small collective."""

    def watched(self) -> AbstractContextManager[None]:
        """Return a context in which a collective that fails for want of a peer raises an error that names the peer.

        Needed around collectives that others begin: torch's in a backward pass, DeepSpeed's.
        """

    def fail(self) -> None:
        """Say that this rank has failed and takes part in nothing more, so that no other waits for it for ever."""

    def close(self) -> None:
        """Leave the group."""


class SingleProcess:
    """The group of one: every collective is the identity."""

    rank = 0
    size = 1

    def barrier(self) -> None:
        """Return at once."""

    def broadcast(self, value: T) -> T:
        """Return ``value``."""
        return value

    def gather(self, value: T) -> list[T]:
        """Return ``[value]``."""
        return [value]

    def agree(self, flag: bool) -> bool:
        """Return ``flag``."""
        return flag

    def total(self, values: Sequence[float]) -> list[float]:
        """Return ``values``."""
        return list(values)

    def watched(self) -> AbstractContextManager[None]:
        """Return a context that does nothing."""
        return contextlib.nullcontext()

    def fail(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class TorchGroup:
    """Ranks joined by torch.distributed: NCCL where every rank has a GPU, gloo elsewhere.

    Values are small Python objects; tensors go through the training backends. When a peer dies, whoever waits for it
    raises a PeerLostError that names it: within seconds if its connection breaks, else after the time-out.

    Args:
        timeout_s: Seconds that a rank waits for another.
    """

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        from datetime import timedelta

        import torch
        import torch.distributed as dist
        from torch.distributed.rendezvous import rendezvous

        from chorale.ranks.presence import Presence

        environment = read_environment()
        self._dist, self._torch = dist, torch
        self.rank, self.size = environment.rank, environment.world_size
        self.timeout_s = timeout_s
        self._broken = False
        patience = timedelta(seconds=timeout_s)
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
        store, _, _ = next(rendezvous("env://", self.rank, self.size, timeout=patience))
        dist.init_process_group(backend, store=store, rank=self.rank, world_size=self.size, timeout=patience)
        hosts: list[Any] = [None] * self.size
        dist.all_gather_object(hosts, host_name())
        self._presence = Presence(store, self.rank, hosts)

    def barrier(self) -> None:
        """Wait until every rank is here."""
        self.total([])

    def broadcast(self, value: T) -> T:
        """Return rank 0's ``value`` on every rank."""
        box: list[Any] = [value]
        with self.watched():
            self._dist.broadcast_object_list(box, src=0)
        result: T = box[0]
        return result

    def gather(self, value: T) -> list[T]:
        """Return every rank's ``value``, in order of rank, on every rank."""
        values: list[Any] = [None] * self.size
        with self.watched():
            self._dist.all_gather_object(values, value)
        return values

    def agree(self, flag: bool) -> bool:
        """Return True on every rank if ``flag`` is True on any."""
        return self.total([float(flag)])[0] > 0

    def total(self, values: Sequence[float]) -> list[float]:
        """Return the sum over ranks of each value, in double precision, on every rank; one small collective."""
        sums = self._torch.tensor([*values, 0.0], dtype=self._torch.float64)
        with self.watched():
            self._dist.all_reduce(sums)
        result: list[float] = sums[:-1].tolist()
        return result

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Turn the failure of a collective for want of a peer into an error that names the peer.

        Raises:
            PeerLostError: A peer is gone, or did not answer within the time-out.
        """
        try:
            yield
        except RuntimeError as error:
            if not self._is_of_a_collective(error):
                raise
            self._broken = True
            missing = self._presence.missing()
            if not missing:
                raise PeerLostError(
                    f"rank {self.rank}: a collective failed, though every rank is there: {_first_line(error)}",
                    f"if a rank was only slow, raise where.timeout_s above {self.timeout_s:g}",
                ) from error
            remedy = "look into its log; this attempt ends here"
            raise PeerLostError(f"rank {self.rank}: lost {missing}", remedy) from error

    def fail(self) -> None:
        """Do nothing: whoever waits for this rank finds out when its process ends."""

    def close(self) -> None:
        """Leave the group."""
        self._presence.close()
        # The farewell is a collective too; with a peer gone it could only fail.
        if not self._broken:
            self._dist.destroy_process_group()

    def _is_of_a_collective(self, error: RuntimeError) -> bool:
        return isinstance(error, self._dist.DistError) or any(sign in str(error) for sign in _SIGNS)


# Gloo raises plain RuntimeErrors; these stand in those that are about connections.
_SIGNS = ("gloo", "Connection closed by peer", "Connection reset by peer", "Timed out waiting", "NCCL")


def _first_line(error: RuntimeError) -> str:
    return (str(error).splitlines() or [""])[0]


class MpiGroup:
    """Ranks joined by MPI, through mpi4py.

    MPI's end waits for all ranks, and its collectives for one that never comes, for ever. So the ranks wait for each
    other at the interpreter's end, and one that has failed does so only for a time and then ends all.

    Args:
        timeout_s: Seconds that a rank which has failed waits for the others.

    Attributes:
        ended_by_channel: Whether a :class:`~chorale.ranks.channel.Channel` sees to the ranks' end instead.

    Raises:
        MissingExtraError: mpi4py is not installed.
    """

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        try:
            from mpi4py import MPI
        except ImportError as error:
            raise MissingExtraError("mpi4py", "mpi") from error
        self._world = MPI.COMM_WORLD
        self.rank, self.size = self._world.Get_rank(), self._world.Get_size()
        self.timeout_s, self.ended_by_channel, self._has_failed = timeout_s, False, False
        expected = read_environment().world_size
        # A library of another family than the launcher's makes every process rank 0 of 1, each doing all the work.
        if self.size != expected:
            raise InputError(
                f"MPI says {self.size} rank(s) where {expected} were started",
                "the MPI library and Slurm's --mpi do not fit: mpi4py on Open MPI wants --mpi=pmix",
            )
        atexit.register(self._meet_at_the_end)

    def barrier(self) -> None:
        """Wait until every rank is here."""
        self._world.Barrier()

    def broadcast(self, value: T) -> T:
        """Return rank 0's ``value`` on every rank."""
        result: T = self._world.bcast(value, root=0)
        return result

    def gather(self, value: T) -> list[T]:
        """Return every rank's ``value``, in order of rank, on every rank."""
        values: list[T] = self._world.allgather(value)
        return values

    def agree(self, flag: bool) -> bool:
        """Return True on every rank if ``flag`` is True on any."""
        return any(self.gather(flag))

    def total(self, values: Sequence[float]) -> list[float]:
        """Return the sum over ranks of each value, on every rank."""
        return [sum(each) for each in zip(*self.gather(tuple(values)), strict=True)]

    def watched(self) -> AbstractContextManager[None]:
        """Return a context that does nothing: MPI ends every process when one dies."""
        return contextlib.nullcontext()

    def fail(self) -> None:
        """Say that this rank has failed: sums of a training end with an error at once, all else after the time-out."""
        from chorale.ranks.horovod import leave

        self._has_failed = True
        leave()

    def close(self) -> None:
        """Leave MPI's end to the interpreter's."""

    def _meet_at_the_end(self) -> None:
        if self.ended_by_channel:
            return
        started, pause = time.monotonic(), Pause(_MEETING_SLEEP_S)
        everybody = self._world.Ibarrier()
        while not everybody.Test():
            if self._has_failed and time.monotonic() - started > self.timeout_s:
                others = f"the other ranks have not come to their end within {self.timeout_s:g} s, and are ended"
                print(f"rank {self.rank} has failed; {others}", file=sys.stderr, flush=True)
                self._world.Abort(1)
            pause.rest()


def open_group(kind: GroupKind, timeout_s: float = TIMEOUT_S) -> Group:
    """Return the group of the processes that were started together; the null object if this is the only one.

    Args:
        kind: What joins them.
        timeout_s: Seconds that a rank of ``ranks`` waits for another before it gives up, and one of ``mpi`` that has
            failed for all others.
    """
    if read_environment().world_size == 1:
        return SingleProcess()
    return TorchGroup(timeout_s) if kind == "ranks" else MpiGroup(timeout_s)
