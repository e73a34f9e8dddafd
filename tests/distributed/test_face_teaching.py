"""Teachers that two ranks train have the losses of one process, step by step, batch normalisation included."""

from pathlib import Path
from typing import Any

import pytest
from face_teaching import STEPS, losses
from ranks import need, results_of, start_program

pytestmark = pytest.mark.distributed

PROGRAM = Path(__file__).parents[1] / "programs" / "face_teaching.py"
BACKENDS = {
    "ddp": {"kind": "ddp"},
    "zero-1": {"kind": "deepspeed", "zero_stage": 1},
    "horovod": {"kind": "horovod"},
}
LARGEST_DIFFERENCE = 1e-4
# A gate's gradients are nearly 0, and AdamW steps by their sign: from rounding (6e-8 at first) the losses of the
# gated network grow apart to 1e-3 within ten steps.
COMPARED = {"emotion": 4, "speaker": STEPS}


@pytest.fixture(scope="module")
def alone() -> list[dict[str, float]]:
    """The losses of one process."""
    return losses({"kind": "single"})


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_ranks_have_the_losses_of_one_process(backend: str, alone: list[dict[str, float]], tmp_path: Path) -> None:
    need(backend)
    ranks = start_program(PROGRAM, [BACKENDS[backend]], tmp_path, size=2, mpi=backend == "horovod")
    told: Any = results_of(ranks, tmp_path)
    (together,) = told
    assert len(together) == len(alone) == 2 * (STEPS + 1)
    assert alone[STEPS - 1]["loss/emotion"] < 0.6 * alone[0]["loss/emotion"], "it learns"
    assert alone[-2]["loss/speaker"] < 0.8 * alone[STEPS + 1]["loss/speaker"], "it learns"
    for first, what in ((0, "emotion"), (STEPS + 1, "speaker")):
        for step in range(first, first + COMPARED[what]):
            assert together[step] == pytest.approx(alone[step], abs=LARGEST_DIFFERENCE), (what, step)
