"""``chorale submit``: an experiment as jobs on a Slurm cluster; returns as soon as they are queued."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

from chorale.cli.carry import begin_run, fail_if_failed, prepare_here, stages_of
from chorale.cli.options import Parser, add_config, add_json, load_config, open_run, parse_with_overrides, print_json
from chorale.cli.outcome import outcome_json, print_outcome
from chorale.core.errors import InputError, WorkError
from chorale.launch.begin import PREPARE
from chorale.launch.plan import overall
from chorale.launch.slurm.assignment import Assignment, On, read_assignment, was_submitted, write_assignment
from chorale.launch.slurm.chunks import cut
from chorale.launch.slurm.clusters import Cluster, find_cluster, reaching
from chorale.launch.slurm.executor import stage_parameters, submit_ready
from chorale.launch.slurm.script import script_text
from chorale.launch.slurm.settling import note_state, settle
from chorale.launch.slurm.submissions import comment_of
from chorale.launch.slurm.waiting import wait_for_end
from chorale.runs.contract import Stage
from chorale.runs.directory import Run, directory_of
from chorale.runs.items import State


def main(words: list[str]) -> int:
    """Run the verb."""
    parser = Parser(
        "submit",
        "Carry an experiment out as jobs on a Slurm cluster. Returns once they are queued: later stages are submitted "
        "from inside the jobs, so the run goes on when this shell is gone.",
        [
            "chorale submit configs/autovector/tiny.yaml --cluster testbed --dry-run",
            "chorale submit configs/autovector/tiny.yaml --cluster testbed --wait",
            "chorale status",
        ],
    )
    parser.add_argument("--cluster", metavar="NAME", help="a profile in slurm/clusters/, or a path to one")
    parser.add_argument("--dry-run", action="store_true", help="show stages, scripts and environment; submit nothing")
    parser.add_argument("--wait", action="store_true", help="stay until the run has ended")
    add_json(parser)
    add_config(parser)
    options, overrides = parse_with_overrides(parser, words)
    if options.dry_run:
        return _dry_run(options.config, overrides, options.cluster)
    run = open_run(options.config, overrides)
    cluster = options.cluster or run.config.where.cluster
    return submit(run, cluster, wait=options.wait, as_json=options.json)


def submit(
    run: Run, cluster: str | None, wait: bool = False, as_json: bool = False, on: dict[str, On] | None = None
) -> int:
    """Submit a run and, if asked to, wait for its end.

    Args:
        run: The run.
        cluster: Name or path of a profile.
        wait: Stay until the run has ended.
        as_json: Print one JSON document instead of lines.
        on: By stage name or pattern, what stages run on where the defaults do not suit.

    Raises:
        ChoraleError: It could not be submitted, or, waited for, did not end well.
    """
    carry_out_there(run, cluster, wait, on)
    if as_json:
        print_json(outcome_json(run))
    elif wait:
        print_outcome(run)
    else:
        print(f"{run.name}: submitted; `chorale status {run.identity}` tells how it stands")
    return 0


def carry_out_there(run: Run, cluster: str | None, wait: bool, on: dict[str, On] | None = None) -> None:
    """Submit a run and, if asked to, wait for its end; see :func:`submit`.

    Raises:
        ChoraleError: It could not be submitted, or, waited for, did not end well.
    """
    name, profile = _profile(cluster)
    if on is None and was_submitted(run):
        # Submitted again without saying otherwise, its stages run on what they ran on.
        on = read_assignment(run).stages
    write_assignment(run, Assignment(cluster=name, stages=on or {}))
    plan = begin_run(run)
    if overall(plan) is State.DONE:
        print(f"{run.name}: finished, nothing to do", file=sys.stderr)
    else:
        prepare_here(run)
        settle(run, profile)
        note_state(run, submit_ready(run, profile))
        if wait:
            _wait(run, profile)


def _profile(cluster: str | None) -> tuple[str, Cluster]:
    if not cluster:
        raise InputError("no cluster given", "name a profile of slurm/clusters/ with --cluster")
    profile = find_cluster(cluster)
    with reaching(profile):
        return cluster, profile


def _wait(run: Run, cluster: Cluster) -> None:
    plan = wait_for_end(run, cluster)
    fail_if_failed(plan)
    if overall(plan) is not State.DONE:
        raise WorkError(f"{run.name}: {overall(plan)}")


def _dry_run(path: Path, overrides: list[str], cluster: str | None) -> int:
    experiment, config = load_config(path, overrides)
    run = Run(directory_of(config, path.stem))
    name, profile = _profile(cluster or config.where.cluster)
    assignment = Assignment(cluster=name)
    with reaching(profile):
        print(f"# run {run.directory}")
        for variable in ("SLURM_CONF", "PATH"):
            print(f"# {variable}={os.environ.get(variable, '')}")
        for stage in stages_of(experiment, config):
            _show_stage(run, stage, assignment, profile)
    print("# stages that these return are submitted from inside the jobs")
    return 0


def _show_stage(run: Run, stage: Stage, assignment: Assignment, profile: Cluster) -> None:
    needs = ", ".join(stage.needs) or "nothing"
    print(f"\n# stage {stage.name}: {stage.kind}, {len(stage.items)} item(s), needs {needs}")
    if stage.name == PREPARE:
        print("# runs here, before anything is submitted")
        return
    per_task = assignment.per_task(stage)
    wanted = stage_parameters(run.name, assignment, profile, stage, comment_of(run, stage.name, 1))
    chunks = cut(math.ceil(len(stage.items) / per_task), profile.max_array_size, wanted["array_parallelism"])
    if per_task > 1:
        print(f"# each task does {per_task} items, one after the other")
    for number, chunk in enumerate(chunks if len(chunks) > 1 else (), start=1):
        after = f", after job {chunk.after + 1}" if chunk.after is not None else ""
        print(f"# job {number} of {len(chunks)}: {chunk.stop - chunk.start} tasks, {chunk.throttle} at once{after}")
    first = {**wanted, "array_parallelism": chunks[0].throttle}
    print(script_text(first, run.logs / "slurm", chunks[0].stop - chunks[0].start))
