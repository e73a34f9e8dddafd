"""One template serves sbatch by hand and submitit: what it says reaches the script that submitit writes."""

from pathlib import Path

import pytest

from chorale.core.errors import InputError
from chorale.launch.slurm.clusters import Cluster, find_cluster, reaching
from chorale.launch.slurm.places import slurm_directory
from chorale.launch.slurm.script import parameters, script_text
from chorale.launch.slurm.templates import minutes, read_template
from chorale.runs.contract import Resources

pytestmark = pytest.mark.unit

TEMPLATE = """#!/bin/bash
#SBATCH --array=0-7%3
#SBATCH --cpus-per-task=2
#SBATCH --mem=3G   # enough
#SBATCH --time=01:30:00
#SBATCH --signal=USR2@300
#SBATCH --requeue

# setup
module load OpenMPI/4.1.4
export FLAVOUR=vanilla
# end of setup

srun chorale work "$@"

# teardown
status=$?
exit $status
# end of teardown
"""


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "array.sbatch"
    path.write_text(TEMPLATE)
    return path


def script_of(path: Path, cluster: Cluster | None = None, wished: Resources | None = None) -> str:
    wanted = parameters(read_template(str(path)), cluster or Cluster(), wished or Resources(), "name", "comment")
    return script_text(wanted, Path("logs"), items=5)


def test_every_line_of_a_template_reaches_the_script(template: Path) -> None:
    lines = script_of(template).splitlines()
    for expected in (
        "#SBATCH --mem=3G",
        "#SBATCH --cpus-per-task=2",
        "#SBATCH --time=90",
        "#SBATCH --signal=USR2@300",
        "#SBATCH --requeue",
        "#SBATCH --array=0-4%3",
        "module load OpenMPI/4.1.4",
        "export FLAVOUR=vanilla",
        "export CHORALE_SIGNAL_LEAD_S=300",
        "status=$?",
    ):
        assert expected in lines
    (srun,) = [line for line in lines if line.startswith("srun ")]
    assert "--cpus-per-task=2" in srun


def test_the_profile_and_the_stage_win_over_the_template(template: Path) -> None:
    cluster = Cluster(partition="fast", modules=("Python",), sbatch={"constraint": "gpu"}, throttle=2)
    lines = script_of(template, cluster, Resources(memory_gb=1.5, minutes=7, nodes=2, ranks_per_node=4)).splitlines()
    for expected in (
        "#SBATCH --partition=fast",
        "#SBATCH --constraint=gpu",
        "#SBATCH --mem=1536M",
        "#SBATCH --time=7",
        "#SBATCH --nodes=2",
        "#SBATCH --ntasks-per-node=4",
        "#SBATCH --array=0-4%2",
    ):
        assert expected in lines
    assert lines.index("module load Python") < lines.index("module load OpenMPI/4.1.4")


@pytest.mark.parametrize("name", ["task", "array"])
def test_the_shipped_templates_are_understood(name: str) -> None:
    assert read_template(name).flags["requeue"] is True


def test_the_shipped_profiles_are_valid() -> None:
    for path in (slurm_directory() / "clusters").glob("*.yaml"):
        find_cluster(path.stem)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("30", 30), ("30:10", 31), ("1:30:00", 90), ("1-0", 1440), ("2-12:30", 3630), ("0-01:00:01", 61)],
)
def test_time_limits_are_read_as_slurm_reads_them(text: str, expected: int) -> None:
    assert minutes(text) == expected


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("--mem=3G", "-m 3G", "line 4: '-m' is not understood"),
        ("# end of setup", "# fin", "no lines '# setup' and '# end of setup'"),
        ("# teardown", "# finally", "no lines '# teardown' and '# end of teardown'"),
        ("01:30:00", "soon", "time limit 'soon' is not understood"),
    ],
)
def test_a_bad_template_is_told_in_one_line(template: Path, old: str, new: str, message: str) -> None:
    template.write_text(TEMPLATE.replace(old, new))
    with pytest.raises(InputError, match=message):
        script_of(template)


def test_a_time_limit_above_the_clusters_is_refused(template: Path) -> None:
    with pytest.raises(InputError, match="90 min is above the cluster's 60 min"):
        script_of(template, Cluster(max_minutes=60))


def test_an_unknown_cluster_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"profiles are: .*testbed"):
        find_cluster("nowhere")


def test_a_jobs_own_variables_do_not_reach_slurm_but_the_cluster_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sbatch = tmp_path / "sbatch"
    sbatch.write_text("#!/bin/sh\n")
    sbatch.chmod(0o755)
    monkeypatch.setenv("SLURM_CPU_BIND", "quiet,mask_cpu:0x1")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_CONF", "/etc/old.conf")
    monkeypatch.delenv("NOT_SET", raising=False)
    import os

    with reaching(Cluster(path=(str(tmp_path),), environment={"EXTRA": "${NOT_SET:-fallback}/x"})):
        assert "SLURM_CPU_BIND" not in os.environ
        assert "SLURM_JOB_ID" not in os.environ
        assert os.environ["SLURM_CONF"] == "/etc/old.conf"
        assert os.environ["EXTRA"] == "fallback/x"
    assert os.environ["SLURM_JOB_ID"] == "7"
    assert "EXTRA" not in os.environ
