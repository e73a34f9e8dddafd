"""Where ``slurm/`` is: the templates and cluster profiles that a user may edit."""

from __future__ import annotations

import os
from pathlib import Path

from chorale.core.errors import InputError


def slurm_directory() -> Path:
    """Return ``$CHORALE_SLURM``, or ``slurm/`` here, or the one of the checkout this package is installed from.

    Raises:
        InputError: There is none of these.
    """
    candidates = [Path("slurm"), Path(__file__).parents[4] / "slurm"]
    if "CHORALE_SLURM" in os.environ:
        candidates.insert(0, Path(os.environ["CHORALE_SLURM"]))
    for candidate in candidates:
        if (candidate / "clusters").is_dir():
            return candidate.absolute()
    raise InputError(
        "no slurm/ with templates and cluster profiles found", "set CHORALE_SLURM to the checkout's slurm/"
    )
