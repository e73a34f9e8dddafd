"""Runs as Slurm jobs on the testbed: submitted, killed, cancelled, by hand; the run's directory tells the truth."""

import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from on_cluster import CHORALE, chorale, wait_for

pytestmark = pytest.mark.slurm

SUM_OF_SQUARES_TO_7 = 140


@pytest.fixture
def config(tmp_path: Path, own_slurm: Path, counting: Path) -> Path:
    """The counting experiment's configuration."""
    path = tmp_path / "count.yaml"
    path.write_text("experiment: counting\nwhere: {tracking: disabled}\n")
    return path


def status(config: Path, *overrides: str) -> dict[str, Any]:
    (directory,) = (config.parent / "runs" / "counting").iterdir()
    told: dict[str, Any] = json.loads(chorale("status", directory, "--json").stdout)
    return told


def records(config: Path, stage: str) -> list[dict[str, Any]]:
    paths = sorted((config.parent / "runs").glob(f"counting/*/stages/{stage}/0*.1.json"))
    return [json.loads(path.read_text()) for path in paths]


def test_a_submitted_run_spreads_over_hosts_and_gives_what_a_local_one_gives(config: Path, tmp_path: Path) -> None:
    words = (config, "--seconds", "1", "--numbers", "8", "--generations", "1")
    submitted = json.loads(chorale("submit", *words, "--cluster", "testbed", "--wait", "--json").stdout)
    local = json.loads(chorale("run", *words, "--where.runs", tmp_path / "elsewhere", "--json").stdout)
    assert submitted["state"] == local["state"] == "done"
    assert submitted["result"] == local["result"] == {"total": SUM_OF_SQUARES_TO_7}
    hosts = {record["host"] for record in records(config, "squares-0")}
    assert len(hosts) >= 3
    assert Path(submitted["report"]).is_file()


def test_the_search_goes_on_when_the_shell_that_submitted_it_is_killed(config: Path) -> None:
    shell = subprocess.Popen(
        [*CHORALE, "submit", str(config), "--cluster", "testbed", "--wait", "--seconds", "1"],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for("the first item's start", lambda: records(config, "squares-0"))
    os.killpg(shell.pid, signal.SIGKILL)
    shell.wait()
    assert not records(config, "squares-1")
    wait_for("the end", lambda: status(config)["state"] == "done")
    assert len(records(config, "squares-1")) == 4


def test_a_cancelled_and_a_killed_task_are_told_apart_and_the_search_finishes(config: Path) -> None:
    words = (config, "--seconds", "8", "--generations", "1", "--where.retries", "0")
    chorale("submit", *words, "--cluster", "testbed")
    running = wait_for("all items' start", lambda: (r := records(config, "squares-0")) and len(r) == 4 and r)
    subprocess.run(["scancel", running[1]["job"]], check=True)
    os.kill(running[2]["pid"], signal.SIGKILL)
    told = wait_for("the end", lambda: (s := status(config)) and s["state"] == "done" and s)
    failures = {failure["item"]: failure for failure in told["failures"]}
    assert set(failures) == {1, 2}
    assert failures[1]["failure"] == "cancelled"
    assert failures[2]["failure"] == "killed"
    assert "SIGKILL" in failures[2]["message"]
    total = json.loads(
        (next((config.parent / "runs" / "counting").iterdir()) / "stages/total/000000.1.json").read_text()
    )
    assert total["result"] == {"total": 0 + 9}


def test_a_template_edited_in_one_place_changes_jobs_by_both_paths(config: Path, tmp_path: Path) -> None:
    template = tmp_path / "slurm" / "array.sbatch"
    text = template.read_text().replace("--mem=2G", "--mem=1234M")
    seen = tmp_path / "seen"
    setup = (
        f"mkdir -p {seen}\n"
        # Environment modules as a cluster's shell has them, noting what was loaded.
        f'module() {{ echo "$@" >>{seen}/modules-$SLURM_JOB_ID; }}\n'
        "module load OpenMPI/4.1.4\n"
        "export FLAVOUR=vanilla\n"
        f"env >{seen}/environment-$SLURM_JOB_ID\n"
        "# end of setup"
    )
    template.write_text(text.replace("# end of setup", setup).replace("#SBATCH --array=0-7", "#SBATCH --array=0-2"))

    chorale("submit", config, "--cluster", "testbed", "--generations", "1", "--seconds", "3")
    by_submit = wait_for("a submitted task", lambda: records(config, "squares-0"))[0]["job"]
    assert_memory(by_submit, "1234M")
    wait_for("its end", lambda: status(config)["state"] == "done")

    shutil.rmtree(tmp_path / "runs")
    words = ["sbatch", "--parsable", str(template), str(config), "--generations", "1", "--seconds", "3"]
    subprocess.run(words, check=True, capture_output=True)
    by_hand = wait_for("a task by hand", lambda: records(config, "squares-0"))[0]["job"]
    assert_memory(by_hand, "1234M")
    wait_for("its end", lambda: status(config)["state"] == "done")

    environments = [path.read_text() for path in seen.glob("environment-*")]
    assert len(environments) >= 4 + 3
    assert all("FLAVOUR=vanilla" in environment for environment in environments)
    assert {path.read_text() for path in seen.glob("modules-*")} == {"load OpenMPI/4.1.4\n"}
    assert len(list(seen.glob("modules-*"))) == len(environments)


def assert_memory(job: str, expected: str) -> None:
    told = subprocess.run(["scontrol", "show", "job", job], capture_output=True, text=True, check=True).stdout
    assert re.search(rf"(MinMemoryNode={expected}|mem={expected})", told), told


def test_by_hand_workers_share_the_run_and_give_the_same_result(config: Path, tmp_path: Path) -> None:
    words = ["sbatch", "--array=0-3", str(tmp_path / "slurm" / "array.sbatch"), str(config), "--numbers", "8"]
    subprocess.run([*words, "--generations", "1", "--seconds", "1"], check=True, capture_output=True)
    wait_for("the run's begin", lambda: list((tmp_path / "runs").glob("counting/*/config.yaml")))
    told = wait_for("the end", lambda: (s := status(config)) and s["state"] == "done" and s)
    assert next(stage for stage in told["stages"] if stage["stage"] == "squares-0")["items"] == {"done": 8}
    assert {record["attempt"] for record in records(config, "squares-0")} == {1}
    assert len({record["host"] for record in records(config, "squares-0")}) >= 2


def test_a_failed_stage_cancels_its_dependants_with_the_reason_and_nothing_pends_for_ever(config: Path) -> None:
    words = ("submit", config, "--cluster", "testbed", "--wait", "--fail_at", "2", "--intolerant", "true")
    done = chorale(*words, check=False)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last == "chorale: squares-0 item 2: error: ValueError: told to fail"
    reasons = {f["stage"]: f["message"] for f in status(config)["failures"]}
    assert reasons["next-0"].startswith("needs stage squares-0, which failed")
    pending = subprocess.run(["squeue", "--noheader"], capture_output=True, text=True, check=True).stdout
    wait_for("an empty queue", lambda: not pending or not _queue())


def _queue() -> str:
    return subprocess.run(["squeue", "--noheader"], capture_output=True, text=True, check=True).stdout


def test_a_cancelled_run_goes_on_when_it_is_submitted_again(config: Path) -> None:
    chorale("submit", config, "--cluster", "testbed", "--seconds", "3")
    wait_for("the first item's start", lambda: records(config, "squares-0"))
    (directory,) = (config.parent / "runs" / "counting").iterdir()
    chorale("cancel", directory)
    assert not _queue().strip()
    assert status(config)["state"] == "failed"
    told = json.loads(chorale("submit", config, "--cluster", "testbed", "--seconds", "3", "--wait", "--json").stdout)
    assert (told["state"], told["result"]) == ("done", {"total": SUM_OF_SQUARES_TO_7})


def test_submitting_a_finished_run_submits_nothing(config: Path) -> None:
    chorale("submit", config, "--cluster", "testbed", "--wait")
    again = chorale("submit", config, "--cluster", "testbed", "--wait")
    assert "finished, nothing to do" in again.stderr
    assert "job" not in again.stderr


def test_a_dry_run_shows_scripts_and_environment_and_leaves_nothing(config: Path) -> None:
    shown = chorale("submit", config, "--cluster", "testbed", "--dry-run").stdout
    for expected in ("# stage squares-0: array, 4 item(s)", "#SBATCH --array=0-3", "#SBATCH --mem=2G", "SLURM_CONF="):
        assert expected in shown
    assert not (config.parent / "runs").exists()
    assert not _queue().strip()


@pytest.mark.parametrize("kind", ["ranks", "mpi"])
def test_a_stage_of_ranks_meets_over_several_hosts_and_on_one_machine(config: Path, tmp_path: Path, kind: str) -> None:
    words = (config, "--meet", kind, "--nodes", "4", "--numbers", "1", "--generations", "1")
    chorale("submit", *words, "--cluster", "testbed", "--wait")
    (met,) = records(config, "meet")
    assert met["result"] == {"size": 4, "hosts": ["n1", "n2", "n3", "n4"], "sum": 0 + 1 + 2 + 3, "seed": 0}
    elsewhere = tmp_path / "elsewhere"
    chorale("run", *words, "--where.runs", elsewhere)
    (path,) = elsewhere.glob("counting/*/stages/meet/000000.1.json")
    alone = json.loads(path.read_text())["result"]
    # On one machine ranks of MPI are started too, which changes no result; a training's ranks are one process.
    assert (alone["size"], alone["sum"], alone["seed"]) == ((4, 6, 0) if kind == "mpi" else (1, 0, 0))
