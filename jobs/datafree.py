#!/usr/bin/env python
"""Launch data-free distillations on a Slurm cluster: the teacher first, then arms times seeds as one array.

    jobs/datafree.py configs/datafree/claims.yaml --cluster testbed --wait
    jobs/datafree.py configs/datafree/paper.yaml --cluster my-cluster --gpus 1 --minutes 1440
    jobs/datafree.py configs/datafree/tiny.yaml --cluster my-cluster --nodes 2 --backend.kind ddp --backend.nodes 2

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
    parser.add_argument("--nodes", type=int, help="hosts of a training on ranks; the configuration's if not given")
    parser.add_argument("--ranks-per-node", type=int, help="processes per host, one per GPU; likewise")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs per host")
    parser.add_argument("--per-task", type=int, help="distillations of a comparison that one task does, one by one")
    parser.add_argument("--minutes", type=int, default=240, help="time limit of a training, which goes on after it")
    parser.add_argument("--wait", action="store_true", help="stay until the run has ended")
    options, overrides = parser.parse_known_args()
    logs.configure()

    run = open_run(options.config, overrides)
    gpus = options.gpus or None
    ranks = Resources(nodes=options.nodes, ranks_per_node=options.ranks_per_node, gpus=gpus, minutes=options.minutes)
    stages = {
        # The stage's kind chooses the template: mpi for Horovod, else multi-node.
        "teacher": On(resources=ranks),
        "distil": On(resources=ranks),
        "arms": On(
            template="array", resources=Resources(gpus=gpus, minutes=options.minutes, per_task=options.per_task)
        ),
        "*": On(template="task", resources=Resources(minutes=60)),
    }
    return submit(run, options.cluster, wait=options.wait, on=stages)


if __name__ == "__main__":
    raise SystemExit(main())
