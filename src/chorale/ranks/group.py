"""The group of processes that work on one stage; with one process, an object that does nothing, so no caller asks."""

from __future__ import annotations

from typing import Any, Literal, Protocol, TypeVar

from chorale.core.errors import InputError, MissingExtraError
from chorale.ranks.environment import read_environment

T = TypeVar("T")
GroupKind = Literal["ranks", "mpi"]


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

    def close(self) -> None:
        """Do nothing."""


class TorchGroup:
    """Ranks joined by torch.distributed: NCCL where every rank has a GPU, gloo elsewhere.

    Values are small Python objects; tensors go through the training backends.
    """

    def __init__(self) -> None:
        import torch
        import torch.distributed as dist

        environment = read_environment()
        self._dist = dist
        self.rank, self.size = environment.rank, environment.world_size
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
        dist.init_process_group(backend, rank=self.rank, world_size=self.size)

    def barrier(self) -> None:
        """Wait until every rank is here."""
        self.gather(None)

    def broadcast(self, value: T) -> T:
        """Return rank 0's ``value`` on every rank."""
        box: list[Any] = [value]
        self._dist.broadcast_object_list(box, src=0)
        result: T = box[0]
        return result

    def gather(self, value: T) -> list[T]:
        """Return every rank's ``value``, in order of rank, on every rank."""
        values: list[Any] = [None] * self.size
        self._dist.all_gather_object(values, value)
        return values

    def agree(self, flag: bool) -> bool:
        """Return True on every rank if ``flag`` is True on any."""
        return any(self.gather(flag))

    def close(self) -> None:
        """Leave the group."""
        self._dist.destroy_process_group()


class MpiGroup:
    """Ranks joined by MPI, through mpi4py.

    Raises:
        MissingExtraError: mpi4py is not installed.
    """

    def __init__(self) -> None:
        try:
            from mpi4py import MPI
        except ImportError as error:
            raise MissingExtraError("mpi4py", "mpi") from error
        self._world = MPI.COMM_WORLD
        self.rank, self.size = self._world.Get_rank(), self._world.Get_size()
        expected = read_environment().world_size
        # A library of another family than the launcher's makes every process rank 0 of 1, each doing all the work.
        if self.size != expected:
            raise InputError(
                f"MPI says {self.size} rank(s) where {expected} were started",
                "the MPI library and Slurm's --mpi do not fit: mpi4py on Open MPI wants --mpi=pmix",
            )

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

    def close(self) -> None:
        """Leave MPI's end to the interpreter's."""


def open_group(kind: GroupKind) -> Group:
    """Return the group of the processes that were started together; the null object if this is the only one."""
    if read_environment().world_size == 1:
        return SingleProcess()
    return TorchGroup() if kind == "ranks" else MpiGroup()
