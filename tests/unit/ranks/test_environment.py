"""Rank and size come from whatever started the process, and from nothing else."""

import pytest

from chorale.ranks.environment import RankEnvironment, read_environment
from chorale.ranks.group import SingleProcess, open_group

pytestmark = pytest.mark.unit

SLURM_JOB = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "8", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}
SLURM_STEP = {
    **SLURM_JOB,
    "SLURM_STEP_ID": "0",
    "SLURM_PROCID": "5",
    "SLURM_STEP_NUM_TASKS": "8",
    "SLURM_LOCALID": "1",
    "SLURM_STEP_TASKS_PER_NODE": "4(x2)",
}
TORCHRUN = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}
OPEN_MPI = {
    "OMPI_COMM_WORLD_RANK": "1",
    "OMPI_COMM_WORLD_SIZE": "2",
    "OMPI_COMM_WORLD_LOCAL_RANK": "1",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, RankEnvironment()),
        (SLURM_STEP, RankEnvironment(5, 8, 1, 4, "slurm")),
        (TORCHRUN, RankEnvironment(3, 4, 1, 2, "torchrun")),
        (OPEN_MPI, RankEnvironment(1, 2, 1, 2, "mpi")),
        ({**SLURM_STEP, **TORCHRUN}, RankEnvironment(3, 4, 1, 2, "torchrun")),
    ],
)
def test_the_innermost_starter_is_believed(variables: dict[str, str], expected: RankEnvironment) -> None:
    assert read_environment(variables) == expected


def test_a_batch_script_is_one_process_whatever_its_job_asked_for() -> None:
    assert read_environment(SLURM_JOB) == RankEnvironment()


def test_one_process_is_a_group_whose_collectives_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SLURM_STEP:
        monkeypatch.delenv(name, raising=False)
    group = open_group("ranks")
    assert isinstance(group, SingleProcess)
    assert (group.broadcast("x"), group.gather(1), group.agree(True), group.agree(False)) == ("x", [1], True, False)
