"""A training on several hosts ends with the same numbers whatever happens to it."""

from __future__ import annotations

import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
from on_cluster import chorale, wait_for

from chorale.launch.chaos.comparing import account, differences
from chorale.launch.testbed import Testbed, kill_node, restart_node
from chorale.runs.directory import Run
from chorale.runs.events import read_events
from chorale.runs.items import State
from chorale.training.attempts import AttemptRow, attempt_table

pytestmark = pytest.mark.slurm
STAGE = "fit"
CHAOS_S = 600
BACKENDS = {"ddp": ("ddp", "2"), "zero-2": ("deepspeed", "2")}


@pytest.fixture
def config(tmp_path: Path, own_slurm: Path, counting: Path) -> Path:
    """The fitting experiment on two hosts: 100 steps, a checkpoint every 10."""
    path = tmp_path / "fit.yaml"
    path.write_text("experiment: fitting\nwhere: {tracking: disabled}\n")
    return path


def run_below(root: Path) -> Run:
    (directory,) = root.glob("fitting/*")
    return Run(directory)


def attempts(root: Path) -> list[AttemptRow]:
    return attempt_table(run_below(root), STAGE, 0) if list(root.glob("fitting/*/stages/fit/0*.json")) else []


def is_at(root: Path, attempt: int, step: int) -> bool:
    """Whether an attempt has done steps from its own beginning on, and stands at ``step`` at least."""
    rows = attempts(root)
    last = rows[attempt - 1].last_step if len(rows) >= attempt else None
    return last is not None and last >= step


def job_of(root: Path) -> str:
    return attempts(root)[-1].job


def losses(root: Path) -> list[float]:
    run = run_below(root)
    return [event.value for event in read_events(run.events, STAGE, 0) if event.name == "loss0"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_put_back_and_warned_twice_a_training_on_two_hosts_is_bit_identical(
    config: Path, tmp_path: Path, backend: str
) -> None:
    if backend == "zero-2" and find_spec("deepspeed") is None:
        pytest.skip("deepspeed is not installed: run make native")
    kind, zero_stage = BACKENDS[backend]
    backend_words = ("--backend.kind", kind, "--backend.zero_stage", zero_stage, "--backend.nodes", "2")
    words = (config, "--cluster", "testbed", *backend_words)
    calm, wild = tmp_path / "calm", tmp_path / "wild"
    chorale("submit", *words, "--wait", "--where.runs", calm)
    chorale("submit", *words, "--where.runs", wild)
    wait_for("its first checkpoint", lambda: is_at(wild, 1, 25))
    subprocess.run(["scontrol", "requeue", job_of(wild)], check=True)
    for attempt, step in ((2, 40), (3, 60)):
        wait_for(f"step {step} of attempt {attempt}", lambda at=(attempt, step): is_at(wild, *at))
        subprocess.run(["scancel", "--signal=USR2", job_of(wild)], check=True)
    wait_for("the end", lambda: run_below(wild).items(run_below(wild).stages()[STAGE])[0].state is State.DONE)
    rows = attempts(wild)
    assert [row.ended for row in rows[1:]] == ["time-limit", "time-limit", "done"]
    # Put back, it has Slurm's KillWait to save itself, or goes on from the last checkpoint; warned, it loses nothing.
    assert rows[1].first_step == rows[0].last_step if rows[0].ended == "preempted" else rows[1].first_step >= 20
    assert [row.first_step for row in rows[2:]] == [row.last_step for row in rows[1:3]]
    assert sum(row.executed for row in rows) <= 100 + 10
    one, other = account(run_below(calm)), account(run_below(wild))
    same_stage = [line for line in differences(one, other) if line.startswith(STAGE)]
    assert same_stage == []
    assert one.metrics
    assert one.results[f"{STAGE}/0"] == other.results[f"{STAGE}/0"]
    (trained,) = run_below(wild).items(run_below(wild).stages()[STAGE])
    assert trained.result["ranks"] == 2


def test_horovod_on_two_hosts_trains_as_one_process_does(config: Path, tmp_path: Path) -> None:
    if find_spec("horovod") is None:
        pytest.skip("horovod is not installed: run make native")
    words = (config, "--steps", "20", "--step_s", "0", "--own_draws", "false")
    two, one = tmp_path / "two", tmp_path / "one"
    horovod = ("--backend.kind", "horovod", "--backend.nodes", "2", "--cluster", "testbed", "--wait")
    chorale("submit", *words, *horovod, "--where.runs", two)
    alone = ("--backend.kind", "single", "--where.executor", "in-process")
    chorale("run", *words, *alone, "--where.runs", one)
    (trained,) = run_below(two).items(run_below(two).stages()[STAGE])
    assert trained.result["ranks"] == 2
    assert losses(two) == pytest.approx(losses(one), abs=1e-4)
    assert len(losses(one)) == 20


def test_a_node_that_dies_costs_at_most_the_steps_since_the_last_checkpoint(
    config: Path, tmp_path: Path, on_testbed: Testbed
) -> None:
    root = tmp_path / "runs"
    chorale("submit", config, "--cluster", "testbed", "--where.timeout_s", "20")
    wait_for("its first checkpoint", lambda: is_at(root, 1, 15))
    node = attempts(root)[0].host
    kill_node(on_testbed, node)
    try:
        wait_for("another attempt", lambda: is_at(root, 2, 20))
    finally:
        restart_node(on_testbed, node)
    wait_for("the end", lambda: run_below(root).items(run_below(root).stages()[STAGE])[0].state is State.DONE)
    first, *_, last = attempts(root)
    assert first.last_step is not None
    assert last.host != node
    assert 0 < (attempts(root)[1].first_step or 0) <= first.last_step
    assert first.last_step - (attempts(root)[1].first_step or 0) <= 10
    steps = [event.step for event in read_events(run_below(root).events, STAGE, 0) if event.name == "loss0"]
    assert steps == list(range(1, 101))


def test_chaos_ends_with_equal_numbers_and_tells_a_build_that_forgets_a_state(config: Path, tmp_path: Path) -> None:
    kinds = [word for kind in ("kill-rank", "requeue", "time-limit", "fill-disk") for word in ("--kind", kind)]
    words = ("chaos", config, "--root", tmp_path / "chaos")
    done = chorale(*words, *kinds, "--kills", "5", "--seed", "1", patience_s=CHAOS_S)
    assert "equal, bit for bit" in done.stdout
    assert "5 kills that hit a live process" in done.stdout
    forgets = ("--kills", "2", "--seed", "1", "--kind", "time-limit", "--checkpoint.leave_out", "torch")
    told = chorale(*words, *forgets, check=False, patience_s=CHAOS_S)
    assert told.returncode == 1
    assert "metrics and results differ" in told.stderr
