#!/usr/bin/env python
"""Launch the speaker search on a Slurm cluster: which of its stages runs on what.

    jobs/autovector.py configs/autovector/tiny.yaml --cluster testbed --wait
    jobs/autovector.py configs/autovector/paper.yaml --cluster my-cluster --gpus 1 --minutes 240

`chorale submit` does the same with the defaults of the templates. Copy this file to suit your cluster.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from chorale.cli.options import open_run
from chorale.cli.submit import submit
from chorale.core import logs
from chorale.launch.slurm.assignment import On
from chorale.runs.contract import Resources


def main() -> int:
    """Read what to launch, say on what each stage runs, and submit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--cluster", required=True, help="a profile in slurm/clusters/")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs per candidate")
    parser.add_argument("--minutes", type=int, default=60, help="time limit of one candidate")
    parser.add_argument("--wait", action="store_true", help="stay until the search has ended")
    options, overrides = parser.parse_known_args()
    logs.configure()

    # Candidates and finalists train; everything else reads and writes small files, and needs no GPU.
    training = On(template="array", resources=Resources(cpus=1, gpus=options.gpus or None, minutes=options.minutes))
    stages = {
        "generation-*": training,
        "random": training,
        "finalists": training,
        "features": On(template="array", resources=Resources(cpus=1, minutes=30)),
        "*": On(template="task", resources=Resources(minutes=15)),
    }
    return submit(open_run(options.config, overrides), options.cluster, wait=options.wait, on=stages)


if __name__ == "__main__":
    raise SystemExit(main())
