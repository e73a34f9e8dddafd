"""Two ranks distil as one process does, whichever backend joins them: the losses of every round are equal."""

from pathlib import Path
from typing import Any

import pytest
from ranks import need, results_of, start_program
from small_distillation import ROUNDS, losses

pytestmark = pytest.mark.distributed

PROGRAM = Path(__file__).parents[1] / "programs" / "small_distillation.py"
BACKENDS = {
    "ddp": {"kind": "ddp"},
    "ddp, channels last": {"kind": "ddp", "channels_last": True},
    "zero-2": {"kind": "deepspeed", "zero_stage": 2},
    "horovod": {"kind": "horovod"},
}
LARGEST_DIFFERENCE = 1e-4
METHODS = ("dfad-log", "dfad-ar-vi", "dafl", "dfq", "zskt")


@pytest.fixture(scope="module")
def alone() -> dict[str, list[dict[str, float]]]:
    """The losses of one process, by method."""
    return {method: losses(method, {"kind": "single"}) for method in METHODS}


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_ranks_have_the_losses_of_one_process_over_twenty_steps(
    backend: str, alone: dict[str, list[dict[str, float]]], tmp_path: Path
) -> None:
    need(backend.partition(",")[0])
    scenarios = [{"method": method, "backend": BACKENDS[backend]} for method in METHODS]
    ranks = start_program(PROGRAM, scenarios, tmp_path, size=2, mpi=backend == "horovod")
    told: Any = results_of(ranks, tmp_path)
    for method, together in zip(METHODS, told, strict=True):
        assert len(together) == len(alone[method]) == ROUNDS + 1
        for ours, theirs in zip(together[:ROUNDS], alone[method][:ROUNDS], strict=True):
            assert ours == pytest.approx(theirs, abs=LARGEST_DIFFERENCE), method
