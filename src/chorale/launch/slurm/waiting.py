"""Wait for a submitted run to end."""

from __future__ import annotations

import time

from chorale.launch.plan import Plan, overall
from chorale.launch.progress import PlanProgress
from chorale.launch.slurm.clusters import Cluster
from chorale.launch.slurm.executor import submit_ready
from chorale.launch.slurm.retrying import retry
from chorale.launch.slurm.settling import note_state, settle
from chorale.runs.directory import Run

_POLL_S = 1.0
# Looking at ten thousand items takes its time, which the jobs may need more.
_SHARE_OF_TIME = 0.1


def wait_for_end(run: Run, cluster: Cluster) -> Plan:
    """Show a run's progress until it has ended, trying again what deserves it, and return its plan."""
    with PlanProgress(run.name) as progress:
        while True:
            began = time.monotonic()
            plan = settle(run, cluster)
            if retry(run, plan, plan):
                plan = submit_ready(run, cluster)
            progress.show(plan)
            if overall(plan).ended:
                break
            time.sleep(max(_POLL_S, (time.monotonic() - began) / _SHARE_OF_TIME))
    note_state(run, plan)
    return plan
