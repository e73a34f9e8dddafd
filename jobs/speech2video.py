#!/usr/bin/env python
r"""Launch speech2video on a Slurm cluster: clips are rendered and prepared as arrays, then ranks train together.

    jobs/speech2video.py configs/speech2video/rendered.yaml --cluster testbed --wait
    jobs/speech2video.py configs/speech2video/listen-tiny.yaml --cluster testbed --nodes 4 \
        --backend.kind deepspeed --backend.zero_stage 1 --backend.nodes 4

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
    parser.add_argument("--nodes", type=int, help="hosts of a training; the configuration's if not given")
    parser.add_argument("--ranks-per-node", type=int, help="processes per host, one per GPU; likewise")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs per host of a training")
    parser.add_argument("--minutes", type=int, default=240, help="time limit of a training, which goes on after it")
    parser.add_argument("--wait", action="store_true", help="stay until the run has ended")
    options, overrides = parser.parse_known_args()
    logs.configure()

    run = open_run(options.config, overrides)
    ranks = Resources(
        nodes=options.nodes,
        ranks_per_node=options.ranks_per_node,
        gpus=options.gpus or None,
        minutes=options.minutes,
    )
    stages = {
        # Drawing and looking for faces need no GPU.
        "render": On(template="array", resources=Resources(minutes=60)),
        "faces": On(template="array", resources=Resources(minutes=60)),
        # The stage's kind chooses the template: mpi for Horovod, else multi-node.
        "listen": On(resources=ranks),
        "*": On(template="task", resources=Resources(minutes=60)),
    }
    return submit(run, options.cluster, wait=options.wait, on=stages)


if __name__ == "__main__":
    raise SystemExit(main())
