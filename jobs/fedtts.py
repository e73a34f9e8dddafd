#!/usr/bin/env python
"""Launch the training of a synthesiser on a Slurm cluster, central or federated: which of its stages runs on what.

    jobs/fedtts.py configs/fedtts/central-tiny.yaml --cluster testbed --nodes 4 --wait
    jobs/fedtts.py configs/fedtts/federated-tiny.yaml --cluster testbed --nodes 3 --wait
    jobs/fedtts.py configs/fedtts/paper.yaml --cluster my-cluster --nodes 2 --ranks-per-node 4 --gpus 4 --minutes 1440

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
    parser.add_argument("--nodes", type=int, help="hosts of the training; the configuration's if not given")
    parser.add_argument("--ranks-per-node", type=int, help="processes per host, one per GPU; likewise")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs per host of the training")
    parser.add_argument("--minutes", type=int, default=240, help="time limit of the training, which goes on after it")
    parser.add_argument("--wait", action="store_true", help="stay until the run has ended")
    options, overrides = parser.parse_known_args()
    logs.configure()

    run = open_run(options.config, overrides)
    wished = Resources(
        nodes=options.nodes, ranks_per_node=options.ranks_per_node, gpus=options.gpus or None, minutes=options.minutes
    )
    stages = {
        # The stage's kind chooses the template: mpi for a federation and for Horovod, else multi-node.
        "train": On(resources=wished),
        "features": On(template="array", resources=Resources(cpus=1, minutes=60)),
        "*": On(template="task", resources=Resources(minutes=60)),
    }
    return submit(run, options.cluster, wait=options.wait, on=stages)


if __name__ == "__main__":
    raise SystemExit(main())
