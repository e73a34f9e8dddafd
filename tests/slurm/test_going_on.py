"""Whatever happens to a job, its run goes on: time limits, preemption, dead tasks, dead nodes."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from on_cluster import chorale, wait_for
from test_submit import config, records, status

from chorale.launch.testbed import Testbed, kill_node, restart_node

pytestmark = pytest.mark.slurm
__all__ = ["config"]


def attempts(config: Path, stage: str, index: int) -> list[dict[str, Any]]:
    found = (config.parent / "runs").glob(f"counting/*/stages/{stage}/{index:06d}.*.json")
    paths = sorted((p for p in found if "verdict" not in p.name), key=lambda p: int(p.name.split(".")[1]))
    verdicts = {path: path.with_suffix(".verdict.json") for path in paths}
    return [json.loads((verdicts[p] if verdicts[p].exists() else p).read_text()) for p in paths]


def slices(config: Path, stage: str, index: int) -> list[int]:
    paths = sorted((config.parent / "runs").glob(f"counting/*/events/{stage}/{index:06d}.*.jsonl"))
    lines = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    return [line["step"] for line in lines if "slice" in line["metrics"]]


def warn(job: str, name: str) -> None:
    """Send a signal to a job's tasks, as Slurm does before a time limit or a preemption."""
    subprocess.run(["scancel", f"--signal={name}", job], check=True)


def test_a_warned_task_saves_is_put_back_under_its_own_id_and_goes_on_where_it_was(config: Path) -> None:
    words = (config, "--seconds", "4", "--numbers", "3", "--generations", "1")
    chorale("submit", *words, "--cluster", "testbed")
    running = wait_for("all items' start", lambda: (r := records(config, "squares-0")) and len(r) == 3 and r)
    wait_for("its first slices", lambda: len(slices(config, "squares-0", 1)) > 5)
    warn(running[1]["job"], "USR2")
    wait_for("the end", lambda: status(config)["state"] == "done")
    first, second = attempts(config, "squares-0", 1)
    assert (first["state"], first["failure"]) == ("pending", "time-limit")
    assert second["job"] == first["job"] == running[1]["job"]
    assert re.fullmatch(r"\d+_1", second["job"])
    # Every slice once: nothing was lost and nothing was done again.
    assert slices(config, "squares-0", 1) == list(range(80))
    assert len(attempts(config, "squares-0", 0)) == 1


def test_a_cancelled_job_that_saves_itself_is_not_put_back(config: Path) -> None:
    chorale("submit", config, "--cluster", "testbed", "--seconds", "20", "--generations", "1", "--numbers", "2")
    running = wait_for("all items' start", lambda: (r := records(config, "squares-0")) and len(r) == 2 and r)
    subprocess.run(["scancel", running[0]["job"].partition("_")[0]], check=True)
    told = wait_for("the end", lambda: (s := status(config)) and s["state"] == "failed" and s)
    failures = {(f["stage"], f["item"]): f["failure"] for f in told["failures"]}
    assert failures[("squares-0", 0)] == failures[("squares-0", 1)] == "cancelled"


def test_a_task_that_was_killed_is_tried_again_and_counted(config: Path) -> None:
    words = (config, "--seconds", "3", "--numbers", "2", "--generations", "1", "--intolerant", "true")
    chorale("submit", *words, "--cluster", "testbed", "--where.retries", "1")
    running = wait_for("all items' start", lambda: (r := records(config, "squares-0")) and len(r) == 2 and r)
    os.kill(running[1]["pid"], signal.SIGKILL)
    wait_for("the end", lambda: status(config)["state"] == "done")
    tries = attempts(config, "squares-0", 1)
    assert [a["failure"] for a in tries if a["state"] == "failed"] == ["killed"]
    assert tries[-1]["state"] == "done"


def test_a_task_that_dies_every_time_goes_round_the_nodes_and_is_given_up_though_none_is_left(config: Path) -> None:
    words = (config, "--die_at", "1", "--numbers", "2", "--generations", "1")
    chorale("submit", *words, "--cluster", "testbed", "--where.retries", "5", "--where.exclude_after", "1")
    told = wait_for("the end", lambda: (s := status(config)) and s["state"] == "done" and s)
    assert [(f["item"], f["failure"]) for f in told["failures"]] == [(1, "killed")]
    tries = [a for a in attempts(config, "squares-0", 1) if a["state"] == "failed"]
    assert len(tries) == 1 + 5
    assert len({a["host"] for a in tries[:4]}) == 4


def test_a_node_that_dies_costs_an_attempt_and_its_tasks_go_on_elsewhere(config: Path, on_testbed: Testbed) -> None:
    chorale("submit", config, "--cluster", "testbed", "--seconds", "6", "--numbers", "4", "--generations", "1")
    running = wait_for("all items' start", lambda: (r := records(config, "squares-0")) and len(r) == 4 and r)
    node = running[0]["host"]
    kill_node(on_testbed, node)
    try:
        wait_for("the end", lambda: status(config)["state"] == "done")
    finally:
        restart_node(on_testbed, node)
    last = attempts(config, "squares-0", 0)[-1]
    assert (last["state"], last["host"] != node) == ("done", True)


def test_a_task_that_takes_too_much_memory_is_told_from_one_that_was_killed(config: Path, tmp_path: Path) -> None:
    template = tmp_path / "slurm" / "array.sbatch"
    template.write_text(template.read_text().replace("--mem=2G", "--mem=400M"))
    words = (config, "--fill_memory_at", "1", "--numbers", "2", "--generations", "1", "--where.retries", "0")
    chorale("submit", *words, "--cluster", "testbed")
    told = wait_for("the end", lambda: (s := status(config)) and s["state"] == "done" and s)
    assert [(f["item"], f["failure"]) for f in told["failures"]] == [(1, "out-of-memory")]


def test_a_preempted_job_saves_itself_gives_way_and_goes_on(config: Path) -> None:
    chorale("submit", config, "--cluster", "testbed", "--seconds", "5", "--numbers", "2", "--generations", "1")
    wait_for("its first slices", lambda: len(slices(config, "squares-0", 1)) > 5)
    urgent = ["sbatch", "--parsable", "--partition=urgent", "--exclusive", "--nodes=4", "--mem=0", "--wrap=sleep 1"]
    subprocess.run(urgent, check=True, capture_output=True)
    wait_for("the end", lambda: status(config)["state"] == "done")
    first, *_, last = attempts(config, "squares-0", 1)
    assert (first["failure"], last["state"]) == ("preempted", "done")
    assert slices(config, "squares-0", 1) == list(range(100))


def test_a_worker_by_hand_that_is_warned_is_put_back_too(config: Path, tmp_path: Path) -> None:
    words = ["sbatch", "--parsable", "--array=0-1", str(tmp_path / "slurm" / "array.sbatch"), str(config)]
    done = subprocess.run([*words, "--numbers", "2", "--seconds", "4"], check=True, capture_output=True, text=True)
    wait_for("its first slices", lambda: len(slices(config, "squares-0", 1)) > 5)
    job = records(config, "squares-0")[1]["job"]
    assert job.startswith(done.stdout.strip())
    warn(job, "USR2")
    wait_for("the end", lambda: status(config)["state"] == "done")
    assert slices(config, "squares-0", 1) == list(range(80))
