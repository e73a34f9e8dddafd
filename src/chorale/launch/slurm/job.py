"""What runs inside a Slurm job: one item, and the submission of whatever it declared."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from chorale.core.errors import WorkError
from chorale.launch.execution import execute
from chorale.launch.plan import Plan, read_part, read_stage
from chorale.launch.slurm.assignment import read_assignment
from chorale.launch.slurm.clusters import Cluster, find_cluster
from chorale.launch.slurm.executor import submit_ready
from chorale.launch.slurm.rendezvous import set_rendezvous
from chorale.launch.slurm.retrying import retry
from chorale.launch.slurm.settling import note_state, settle
from chorale.launch.slurm.submissions import read_submission, read_submissions
from chorale.ranks.group import Group, SingleProcess, open_group
from chorale.runs.contract import Stage
from chorale.runs.directory import Run
from chorale.runs.items import State, read_item, reopen
from chorale.runs.stopping import GO_ON, StopFlag, StopReason
from chorale.tracking.export import track_run


@dataclass(frozen=True)
class ItemJob:
    """What one task of a job does for one item.

    Attributes:
        directory: The run's.
        stage: The stage's name.
        index: The item.
        number: The submission that carries it.
    """

    directory: str
    stage: str
    index: int
    number: int

    def __call__(self, stop: StopFlag) -> str:
        """Do the item, submit what it declared, and return how it stands.

        Args:
            stop: Set when Slurm warns the task.

        Raises:
            WorkError: The item failed, so that Slurm shows the job as failed too.
            SystemExit: The work has saved itself and wants to go on.
        """
        run = Run(Path(self.directory))
        cluster = find_cluster(read_assignment(run).cluster)
        stage = read_stage(run, self.stage)
        if stage is None:
            raise WorkError(f"{run.name}: there is no stage {self.stage}")
        group = _join(stage, run.config.where.timeout_s)
        # One rank looks and decides for all: they must not come to different answers.
        begins = group.broadcast(group.rank == 0 and self._may_begin(run, cluster, stage))
        state = execute(run, stage, self.index, own_job_id(), stop, group=group) if begins else State.PENDING
        group.close()
        if not begins:
            return state.value
        if state is State.PENDING and stop:
            # The batch script reads this and puts the job back.
            raise SystemExit(GO_ON)
        # A thousand tasks of an array need not all look whether there is more to submit.
        looks_on = stage.kind != "array" and group.rank == 0
        if looks_on and note_state(run, submit_ready(run, cluster)) is State.DONE:
            track_run(run)
        if state is not State.DONE:
            record = read_item(run.stage_directory(self.stage), self.index)
            raise WorkError(f"{run.name}: {self.stage} item {self.index}: {record.message or state}")
        return state.value

    def _may_begin(self, run: Run, cluster: Cluster, stage: Stage) -> bool:
        """Say whether to do the item now; where it must wait for what is tried again, it is submitted behind that."""
        if self._is_carried_by_another(run):
            return False
        if self._needs_have_ended(run, cluster, stage):
            return True
        self._wait_behind(run, cluster)
        return False

    def _needs_have_ended(self, run: Run, cluster: Cluster, stage: Stage) -> bool:
        """Find out how the stages this one needs ended, and try again what deserves it."""
        part = read_part(run, stage.needs)
        # A tolerant stage is done in spite of failed items, of which some may deserve another try.
        if all(record.state is State.DONE for status in part.values() for record in status.records):
            return True
        retry(run, settle(run, cluster, upto=self.stage), stage.needs)
        return _all_ended(read_part(run, stage.needs))

    def _is_carried_by_another(self, run: Run) -> bool:
        """Say whether the item was submitted once more since this job was."""
        record = read_item(run.stage_directory(self.stage), self.index)
        later = (s for s in read_submissions(run, self.stage) if s.number > self.number)
        return record.job != own_job_id() and any(submission.carries(record) for submission in later)

    def _wait_behind(self, run: Run, cluster: Cluster) -> None:
        """Submit what is tried again, and behind it once more all that came with this item and has not begun.

        The tasks of an array find this out one after another; the first does it for all, and the others see that.
        """
        directory = run.stage_directory(self.stage)
        own = read_submission(run, self.stage, self.number)
        for index in own.items:
            record = read_item(directory, index)
            if record.state is State.PENDING and (index == self.index or (own.carries(record) and not record.job)):
                reopen(directory, record)
        note_state(run, submit_ready(run, cluster))


def _all_ended(plan: Plan) -> bool:
    return all(status.state.ended for status in plan.values())


def stop_on_signals() -> StopFlag:
    """Return a flag that Slurm's warnings set: SIGUSR2 before the time limit, SIGTERM when the job is preempted.

    Handlers only set the flag: at the next step boundary all ranks agree and save together. submitit's own handler,
    which this replaces, saves on one rank, inside whatever the work is doing at that moment, and takes every job of ten
    minutes or less for timed out.
    """
    stop = StopFlag()
    reasons: dict[int, StopReason] = {signal.SIGUSR2: "time-limit", signal.SIGTERM: "preempted"}

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        stop.set(reasons[number])

    for number in reasons:
        signal.signal(number, ask_to_stop)
    return stop


def _join(stage: Stage, timeout_s: float) -> Group:
    if stage.kind == "ranks":
        set_rendezvous()
    return open_group(stage.kind, timeout_s) if stage.kind in ("ranks", "mpi") else SingleProcess()


def own_job_id() -> str:
    """Return this process's job as Slurm names it, ``123`` or ``123_4``; empty outside a job."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID", "")
