"""What runs inside a Slurm job: one item, and the submission of whatever it declared."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from chorale.core import logs
from chorale.core.errors import WorkError
from chorale.launch.execution import execute
from chorale.launch.slurm.assignment import read_assignment
from chorale.launch.slurm.clusters import find_cluster
from chorale.launch.slurm.executor import submit_ready
from chorale.launch.slurm.rendezvous import set_rendezvous
from chorale.launch.slurm.settling import note_state, settle
from chorale.ranks.group import Group, SingleProcess, open_group
from chorale.runs.context import StopFlag
from chorale.runs.contract import Stage
from chorale.runs.directory import Run
from chorale.runs.items import State
from chorale.tracking.export import track_run


@dataclass(frozen=True)
class ItemJob:
    """What one job, or one task of an array, runs; pickled by submitit into the run's own directory."""

    directory: str
    stage: str
    index: int

    def __call__(self) -> str:
        """Do the item, submit what it declared, and return how it stands.

        Raises:
            WorkError: The item failed, so that Slurm shows the job as failed too.
        """
        logs.configure()
        run = Run(Path(self.directory))
        cluster = find_cluster(read_assignment(run).cluster)
        stop = StopFlag()

        def ask_to_stop(number: int, frame: FrameType | None) -> None:
            stop.set()

        # submitit's own handler raises inside whatever the work is doing at that moment.
        signal.signal(signal.SIGUSR2, ask_to_stop)
        signal.signal(signal.SIGTERM, ask_to_stop)
        plan = settle(run, cluster, upto=self.stage)
        stage = plan[self.stage].stage
        group = _join(stage)
        state = execute(run, stage, self.index, own_job_id(), stop, group=group)
        group.close()
        if stage.kind != "array" and group.rank == 0:
            # A thousand tasks of an array need not all look whether there is more to submit.
            plan = submit_ready(run, cluster)
            if note_state(run, plan) is State.DONE:
                track_run(run)
        if state is not State.DONE:
            raise WorkError(f"{run.name}: {plan[self.stage].reason or f'{self.stage} is {state}'}")
        return state.value


def _join(stage: Stage) -> Group:
    if stage.kind == "ranks":
        set_rendezvous()
    return open_group(stage.kind) if stage.kind in ("ranks", "mpi") else SingleProcess()


def own_job_id() -> str:
    """Return this process's job as Slurm names it, ``123`` or ``123_4``; empty outside a job."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID", "")
