"""Measure how much a Slurm array takes longer than its work: items that sleep, beside bare submitit in the same minute.

The yardstick is ``ceil(tasks / slots) x seconds``, what the array would take if starting a task cost nothing.
"""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chorale.core.config import ConfigTree, validate
from chorale.core.errors import WorkError
from chorale.core.progress import Progress
from chorale.launch.begin import PREPARE, first_stages
from chorale.launch.execution import execute
from chorale.launch.plan import overall, read_plan
from chorale.launch.slurm.assignment import Assignment, write_assignment
from chorale.launch.slurm.clusters import find_cluster, reaching
from chorale.launch.slurm.executor import stage_parameters, submit_ready
from chorale.launch.slurm.waiting import wait_for_end
from chorale.runs.contract import Stage
from chorale.runs.directory import Run, open_or_create
from chorale.runs.items import State
from chorale.runs.registry import find_experiment

_EXPERIMENT = "sleep"
_ARRAY = "naps"
_POLL_S = 0.2
# An array that takes so many times as long as its work has been given up.
_PATIENCE = 20


def bench_array(
    cluster: str, slots: int, tasks: int, seconds: float, small_items: int, small_seconds: float, bare: bool = True
) -> dict[str, Any]:
    """Run both arrays through chorale and, if ``bare``, through submitit alone, one after the other.

    Args:
        cluster: Name or path of a profile.
        slots: How many tasks the cluster runs at once.
        tasks: Items of the first array, one per task.
        seconds: How long each of them sleeps.
        small_items: Items of the second array, packed so that there is one task per slot.
        small_seconds: How long each of them sleeps.
        bare: Whether bare submitit runs the same sleeps too, unpacked: it has no packing.

    Returns:
        For each measurement its items, tasks, seconds of wall time, ideal seconds, and their ratio.

    Raises:
        ChoraleError: The cluster cannot be reached, or an array did not end well.
    """
    packed = math.ceil(small_items / slots)
    # The tasks and the commands that submit them see the same files only on a shared disk.
    with tempfile.TemporaryDirectory(prefix="chorale-bench-", dir=Path.cwd()) as folder:
        measured: dict[str, Any] = {"slots": slots, "load_before": round(os.getloadavg()[0], 2)}
        own = Path(folder)
        measured["tasks"] = {
            "chorale": _measure(slots, tasks, seconds, 1, lambda: _chorale(own, cluster, tasks, seconds, 1))
        }
        if bare:
            measured["tasks"]["submitit"] = _measure(
                slots, tasks, seconds, 1, lambda: _submitit(own / "tasks", cluster, tasks, seconds)
            )
        measured["packed"] = {
            "chorale": _measure(
                slots,
                small_items,
                small_seconds,
                packed,
                lambda: _chorale(own, cluster, small_items, small_seconds, packed),
            )
        }
        if bare:
            measured["packed"]["submitit"] = _measure(
                slots,
                small_items,
                small_seconds,
                1,
                lambda: _submitit(own / "small", cluster, small_items, small_seconds),
            )
        return {**measured, "load_after": round(os.getloadavg()[0], 2)}


def _measure(slots: int, items: int, seconds: float, per_task: int, run: Callable[[], None]) -> dict[str, Any]:
    ideal = math.ceil(math.ceil(items / per_task) / slots) * per_task * seconds
    began = time.monotonic()
    run()
    wall = time.monotonic() - began
    ratio = round(wall / ideal, 3) if ideal else None
    return {"items": items, "per_task": per_task, "wall_s": round(wall, 2), "ideal_s": ideal, "ratio": ratio}


def _chorale(folder: Path, cluster: str, items: int, seconds: float, per_task: int) -> None:
    run = _new_run(folder, items=items, seconds=seconds, per_task=per_task)
    write_assignment(run, Assignment(cluster=cluster))
    profile = find_cluster(cluster)
    execute(run, run.stages()[PREPARE], 0)
    submit_ready(run, profile)
    if overall(wait_for_end(run, profile)) is not State.DONE:
        raise WorkError(f"{run.name}: {read_plan(run)[_ARRAY].reason}")


def _new_run(folder: Path, **values: Any) -> Run:
    experiment = find_experiment(_EXPERIMENT)
    where = {"runs": str(folder / "runs"), "cache": str(folder / "cache"), "tracking": "disabled"}
    config = validate(experiment.config_class, ConfigTree({"where": where, **values}, {}))
    run = open_or_create(config, "bench")
    run.declare(stage for stage in first_stages(experiment, config) if stage.name in (PREPARE, _ARRAY))
    return run


def _submitit(folder: Path, cluster: str, items: int, seconds: float) -> None:
    """Run the sleeps by ``map_array``, in arrays that the cluster takes, with the same batch parameters."""
    from submitit import SlurmExecutor

    profile = find_cluster(cluster)
    stage = Stage(name=_ARRAY, function="time:sleep", kind="array", items=tuple(range(items)))
    wanted = stage_parameters("bench", Assignment(cluster=cluster), profile, stage, "bench")
    with reaching(profile):
        executor = SlurmExecutor(folder=folder)
        executor.update_parameters(**wanted)
        jobs = []
        for start in range(0, items, profile.max_array_size):
            count = min(profile.max_array_size, items - start)
            jobs += executor.map_array(time.sleep, [seconds] * count)
    open_jobs = list(jobs)
    # Without Slurm's accounting database submitit cannot ask for states; the result's file tells as well.
    deadline = time.monotonic() + _PATIENCE * (items * seconds + 60)
    with Progress("bare submitit", total=items, unit="tasks") as progress:
        while open_jobs:
            open_jobs = [job for job in open_jobs if not job.paths.result_pickle.exists()]
            progress.update(items - len(open_jobs))
            if time.monotonic() > deadline:
                raise WorkError(f"bare submitit: {len(open_jobs)} tasks did not end", f"see {folder}")
            time.sleep(_POLL_S)
