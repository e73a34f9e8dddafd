"""A speech encoder that two ranks pre-train has the losses of one process, step by step."""

from pathlib import Path
from typing import Any

import pytest
from ranks import need, results_of, start_program
from speech_listening import STEPS, losses

pytestmark = pytest.mark.distributed

PROGRAM = Path(__file__).parents[1] / "programs" / "speech_listening.py"
BACKENDS = {
    "ddp": {"kind": "ddp"},
    "zero-1": {"kind": "deepspeed", "zero_stage": 1},
    "zero-3": {"kind": "deepspeed", "zero_stage": 3},
    "horovod": {"kind": "horovod"},
}
LARGEST_DIFFERENCE = 1e-4


@pytest.fixture(scope="module")
def alone() -> list[dict[str, float]]:
    """The losses of one process."""
    return losses({"kind": "single"})


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_ranks_have_the_losses_of_one_process_over_twenty_steps(
    backend: str, alone: list[dict[str, float]], tmp_path: Path
) -> None:
    need(backend)
    ranks = start_program(PROGRAM, [BACKENDS[backend]], tmp_path, size=2, mpi=backend == "horovod")
    told: Any = results_of(ranks, tmp_path)
    (together,) = told
    assert len(together) == len(alone) == STEPS + 1
    assert alone[-2]["loss/speech"] < alone[0]["loss/speech"] - 0.05, "it learns, so that there is something to compare"
    for ours, theirs in zip(together, alone, strict=True):
        assert ours == pytest.approx(theirs, abs=LARGEST_DIFFERENCE)
