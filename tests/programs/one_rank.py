"""What programs have in common that are one rank of a training."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chorale.ranks.device import set_threads
from chorale.ranks.group import Group, open_group

TIMEOUT_S = 60.0


def be_one_rank(losses: Callable[[dict[str, Any], Group], Any]) -> None:
    """Read the scenarios, train with each, and write on rank 0 what was told; the command line names both files."""
    scenarios, results = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    set_threads(1)
    group = open_group("mpi" if os.environ.get("GROUP") == "mpi" else "ranks", TIMEOUT_S)
    found = [losses(backend, group) for backend in scenarios]
    if group.rank == 0:
        results.write_text(json.dumps(found))
    group.close()
