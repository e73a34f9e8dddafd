"""Arrays above the cluster's limit, packed and retried; the code that jobs run; what does not leak into them."""

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from on_cluster import chorale, wait_for

from chorale.cli.carry import stages_of
from chorale.cli.options import open_run
from chorale.launch.slurm.submissions import open_submission

pytestmark = pytest.mark.slurm

LARGEST, THROTTLE = 11, 8


@pytest.fixture
def config(tmp_path: Path, own_slurm: Path) -> Path:
    """A sleeping array's configuration, for a cluster that takes only small arrays."""
    profile = yaml.safe_load((own_slurm / "clusters" / "testbed.yaml").read_text())
    small = {**profile, "max_array_size": LARGEST, "throttle": THROTTLE}
    (own_slurm / "clusters" / "small.yaml").write_text(yaml.safe_dump(small))
    path = tmp_path / "nap.yaml"
    path.write_text("experiment: sleep\nseconds: 0\nwhere: {tracking: disabled, cluster: small}\n")
    return path


def run_of(config: Path) -> Path:
    (directory,) = (config.parent / "runs").glob("*/*")
    return directory


def naps(config: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(chorale("collect", run_of(config), "--stage", "naps", "--json").stdout)
    return rows


def submissions(config: Path, stage: str = "naps") -> list[dict[str, Any]]:
    paths = sorted((run_of(config) / "stages" / stage).glob("submission.*.json"))
    return [json.loads(path.read_text()) for path in paths]


def attempts(config: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in (run_of(config) / "stages" / "naps").glob("0*.json")]


def most_at_once(records: list[dict[str, Any]]) -> int:
    """Return how many items ran at the same time, at most."""
    edges = [(r["started"], 1) for r in records] + [(r["started"] + r["seconds"], -1) for r in records]
    running = [0]
    for _, change in sorted(edges):
        running.append(running[-1] + change)
    return max(running)


def test_an_array_above_the_limit_is_done_once_each_within_the_throttle_and_only_what_failed_is_retried(
    config: Path,
) -> None:
    words = ("--items", 25, "--seconds", 0.5, "--fail_every", 10)
    chorale("submit", config, *words, "--wait")
    rows = naps(config)
    assert [row["state"] for row in rows] == ["failed" if (i + 1) % 10 == 0 else "done" for i in range(25)]
    assert {row["attempts"] for row in rows} == {1}
    assert not any(row["result.torch"] for row in rows if row["state"] == "done")
    assert most_at_once(attempts(config)) <= THROTTLE
    sent = submissions(config)
    assert [index for submission in sent for index in submission["items"]] == list(range(25))
    assert len(sent) == 3
    assert all(len(submission["items"]) <= LARGEST for submission in sent)
    assert len({submission["job"] for submission in sent}) == 3

    before = {record["index"]: record for record in attempts(config)}
    told = json.loads(chorale("retry", run_of(config), "--failed", "--wait", "--json").stdout)
    assert told["items"] == {"naps": 2}
    after = naps(config)
    assert [row["attempts"] for row in after] == [3 if (i + 1) % 10 == 0 else 1 for i in range(25)]
    assert {row["state"] for row in after} == {"done"}
    assert submissions(config)[3]["items"] == [9, 19]
    assert all(before[row["index"]]["host"] == row["host"] for row in after if row["attempts"] == 1)


def test_small_items_share_tasks_and_one_that_fails_does_not_take_the_others_along(config: Path) -> None:
    chorale("submit", config, "--items", 50, "--per_task", 6, "--fail_every", 13, "--wait")
    rows = naps(config)
    assert [row["index"] for row in rows if row["state"] == "failed"] == [12, 25, 38]
    assert sum(row["state"] == "done" for row in rows) == 47
    (sent,) = submissions(config)
    assert (len(sent["items"]), sent["per_task"]) == (50, 6)
    jobs = {record["index"]: record["job"] for record in attempts(config)}
    assert [jobs[index] for index in range(50)] == [f"{sent['job']}_{index // 6}" for index in range(50)]


def test_an_array_whose_submission_was_broken_off_before_sbatch_is_submitted_by_the_next_to_come(config: Path) -> None:
    # As if a process had died between taking the right to submit and calling sbatch.
    run = open_run(config, ["--items", "3"])
    run.declare(stages_of(run.experiment, run.config))
    naps_stage = run.stages()["naps"]
    assert open_submission(run, naps_stage, run.items(naps_stage), 1) is not None
    taken = run.stage_directory("naps") / "submission.1.json"
    chorale("submit", config, "--items", 3)
    assert submissions(config)[0]["job"] == "", "somebody may still be at it"
    os.utime(taken, (time.time() - 3600, time.time() - 3600))
    chorale("submit", config, "--items", 3, "--wait")
    assert [row["state"] for row in naps(config)] == ["done"] * 3
    assert len(submissions(config)) == 1


def test_an_array_whose_id_was_not_written_down_is_found_by_its_label_and_not_submitted_twice(config: Path) -> None:
    chorale("submit", config, "--items", 3, "--seconds", 3)
    path = run_of(config) / "stages" / "naps" / "submission.1.json"
    job = json.loads(path.read_text())["job"]
    path.write_text(json.dumps({**json.loads(path.read_text()), "job": ""}))
    chorale("submit", config, "--items", 3, "--seconds", 3, "--wait")
    assert [submission["job"] for submission in submissions(config)] == [job]
    assert [row["attempts"] for row in naps(config)] == [1, 1, 1]


def queued(job: str) -> str:
    done = subprocess.run(["squeue", "--noheader", f"--jobs={job}"], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def test_source_edited_between_submission_and_start_does_not_reach_the_jobs(
    config: Path, checkout: Path, tmp_path: Path
) -> None:
    own = tmp_path / "checkout"
    package = Path(shutil.copytree(checkout / "src" / "chorale", own / "chorale"))
    path = os.pathsep.join([str(own), os.environ.get("PYTHONPATH", "")])
    source = package / "experiments" / "sleep" / "experiment.py"
    # The jobs wait behind this one until the source has been edited.
    blocker = subprocess.run(
        ["sbatch", "--parsable", "--exclusive", "--nodes=4", "--mem=0", "--output=/dev/null", "--wrap", "sleep 600"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    try:
        wait_for("the blocker's start", lambda: " R " in queued(blocker))
        first = chorale("submit", config, "--items", 2, PYTHONPATH=path)
        source.write_text(source.read_text().replace('"slept_s"', '"edited_s"'))
        assert "code has changed" not in first.stderr
    finally:
        subprocess.run(["scancel", blocker], check=True)
    wait_for("the end", lambda: json.loads((run_of(config) / "status.json").read_text())["state"] == "done")
    assert all("result.slept_s" in row and "result.edited_s" not in row for row in naps(config))
    # Even the last stage, which was submitted with the first, ran the copy.
    assert len(list((run_of(config) / "code").glob("*/chorale"))) == 1

    # Submitted anew, an unfinished run goes on with the new code, and says so.
    shutil.rmtree(run_of(config) / "stages" / "naps")
    again = chorale("submit", config, "--items", 2, "--wait", PYTHONPATH=path)
    assert "the code has changed since jobs were last submitted" in again.stderr
    assert all("result.edited_s" in row for row in naps(config))


def test_what_a_job_knows_of_itself_does_not_leak_into_the_jobs_it_submits(
    config: Path, counting: Path, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    seen.mkdir()
    poison = {
        "SLURM_CPU_BIND": "none",
        "SLURM_MEM_BIND_TYPE": "leaked",
        "SBATCH_EXTRA_LEAK": "leaked",
        "PMIX_LEAK": "leaked",
        "OMPI_LEAK": "leaked",
    }
    exports = "\n".join(f"export {name}={value}" for name, value in poison.items())
    # Each job first notes what it was given, then poisons what it hands on to srun and so to its own submissions.
    setup = f"env >{seen}/environment-$SLURM_JOB_ID\n{exports}\n# end of setup"
    for name in ("task", "array"):
        template = tmp_path / "slurm" / f"{name}.sbatch"
        template.write_text(template.read_text().replace("# end of setup", setup))
    config.write_text("experiment: counting\nnumbers: 2\ngenerations: 2\nwhere: {tracking: disabled, cluster: small}\n")
    chorale("submit", config, "--wait")
    environments = [path.read_text() for path in seen.iterdir()]
    # squares-1, next-1, total were submitted from inside jobs; squares-0 has two tasks, as has squares-1.
    assert len(environments) >= 2 + 1 + 2 + 1 + 1
    assert not [
        line
        for environment in environments
        for line in environment.splitlines()
        if "leaked" in line or line.startswith("SLURM_CPU_BIND=")
    ]
    assert all(re.search(r"^SLURM_CONF=", environment, re.MULTILINE) for environment in environments)


def test_the_bench_measures_both_and_leaves_nothing(config: Path, tmp_path: Path) -> None:
    words = ("--cluster", "small", "--slots", 8, "--tasks", 8, "--seconds", 1)
    measured = json.loads(
        chorale("bench", "array", *words, "--small-items", 24, "--small-seconds", 0.1, "--json").stdout
    )
    assert measured["tasks"]["chorale"]["ideal_s"] == 1.0
    assert measured["packed"]["chorale"]["per_task"] == 3
    assert measured["packed"]["submitit"]["items"] == 24
    walls = [row["wall_s"] for kind in ("tasks", "packed") for row in measured[kind].values()]
    assert all(wall > 0.3 for wall in walls)
    assert not list(tmp_path.glob("chorale-bench-*"))
