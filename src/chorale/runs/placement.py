"""Where a run happens: the ``where:`` part of every configuration. It changes no result, so it is outside the hash."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from chorale.core.config import Config
from chorale.ranks.device import DeviceChoice


def _absolute(path: Path) -> Path:
    return Path(os.path.expandvars(path)).expanduser().absolute()


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]


class Where(Config):
    """Placement: who carries the stages out, on what, and where files go."""

    executor: Literal["local", "in-process", "slurm"] = "local"
    """``local``: worker processes here; ``in-process``: this process alone (breakpoints work); ``slurm``: jobs."""
    cluster: str | None = None
    """Name of a profile in ``slurm/clusters/``, or a path to one; needed by ``slurm``."""
    workers: int | None = Field(None, ge=1)
    """Worker processes of the local executor; the machine's cores if not given."""
    ranks: int = Field(1, ge=1)
    """Processes that share a stage whose result does not depend on their number, such as a federation's."""
    retries: int = Field(2, ge=0)
    """How often an item is tried again that was killed, ran out of memory or time, or lost its node."""
    exclude_after: int = Field(2, ge=1)
    """A node on which so many attempts have died is left out from then on."""
    threads: int = Field(1, ge=1)
    """Threads per process for torch."""
    device: DeviceChoice = "auto"
    """``auto`` takes a GPU where there is one."""
    timeout_s: float = Field(300.0, gt=0)
    """Seconds that a rank waits for another before it gives the other up for dead."""
    runs: AbsolutePath = Field(default_factory=lambda: _absolute(Path(os.environ.get("CHORALE_RUNS", "runs"))))
    """Root of the run directories, on a disk that every host sees. Default: ``$CHORALE_RUNS`` or ``./runs``."""
    cache: AbsolutePath = Field(default_factory=lambda: _absolute(Path(os.environ.get("CHORALE_CACHE", "cache"))))
    """Corpora and feature stores, shared by runs. Default: ``$CHORALE_CACHE`` or ``./cache``."""
    tracking: Literal["offline", "online", "disabled"] = "offline"
    """W&B's mode."""
    project: str = "chorale"
    """W&B's project."""
