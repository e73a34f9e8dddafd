"""A synthesiser that two ranks train centrally has the losses of one process, step by step, with dropout on."""

from pathlib import Path
from typing import Any

import pytest
from ranks import need, results_of, start_program
from speech_training import STEPS, losses

pytestmark = pytest.mark.distributed

PROGRAM = Path(__file__).parents[1] / "programs" / "speech_training.py"
BACKENDS = {
    "ddp": {"kind": "ddp"},
    "zero-2": {"kind": "deepspeed", "zero_stage": 2},
    "horovod": {"kind": "horovod"},
}
LARGEST_DIFFERENCE = 1e-4


@pytest.fixture(scope="module")
def alone() -> list[dict[str, float]]:
    """The losses of one process."""
    return losses({"kind": "single"})


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_ranks_have_the_losses_of_one_process_over_fifty_steps(
    backend: str, alone: list[dict[str, float]], tmp_path: Path
) -> None:
    need(backend)
    ranks = start_program(PROGRAM, [BACKENDS[backend]], tmp_path, size=2, mpi=backend == "horovod")
    told: Any = results_of(ranks, tmp_path)
    (together,) = told
    assert len(together) == len(alone) == STEPS + 1
    assert alone[-2]["loss/train"] < 0.7 * alone[0]["loss/train"], "it learns, so that there is something to compare"
    for ours, theirs in zip(together, alone, strict=True):
        assert ours == pytest.approx(theirs, abs=LARGEST_DIFFERENCE)
