"""Which device this rank computes on, and with how many threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from chorale.core.errors import InputError
from chorale.ranks.environment import read_environment

if TYPE_CHECKING:
    import torch

DeviceChoice = Literal["auto", "cpu", "cuda"]


def pick_device(choice: DeviceChoice) -> torch.device:
    """Return this rank's device: its own GPU where there is one (``auto``), or what was asked for.

    Raises:
        InputError: ``cuda`` was asked for and torch sees no GPU.
    """
    import torch

    if choice == "cpu" or (choice == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise InputError("where.device: cuda was asked for, and torch sees no GPU", "set where.device to auto or cpu")
    return torch.device("cuda", read_environment().local_rank % torch.cuda.device_count())


def set_threads(count: int) -> None:
    """Let torch compute with ``count`` threads. Sums on a CPU are split by threads, so results depend on it."""
    import torch

    torch.set_num_threads(count)


def peak_memory_gib(device: torch.device) -> float:
    """Return the most memory this process has held, GiB: of the GPU where it computes on one, else of the host."""
    import resource

    import torch

    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**30, 3)
    # Linux counts in KiB.
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3)
