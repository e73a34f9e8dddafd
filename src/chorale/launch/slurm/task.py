"""What one task of a job runs: ``python -m chorale.launch.slurm.task RUN STAGE NUMBER``; NUMBER is the submission's.

An array may have thousands of tasks that are as short as their start, so here nothing is imported that can wait.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence


def main(words: Sequence[str]) -> int:
    """Do the task's items and return the exit status."""
    from chorale.launch.slurm.turns import Turn

    with Turn():
        # What the imports make stays until the end: to look for garbage among it would take a tenth of the start.
        gc.disable()
        from chorale.launch.slurm.carrying import carry_out

        gc.freeze()
        gc.enable()
    return carry_out(*words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
