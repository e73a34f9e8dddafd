"""One process and two ranks compute the same, by every backend; a rank that dies is named and nobody waits for ever."""

import re
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from ranks import start
from small_training import Scenario

pytestmark = pytest.mark.distributed

BACKENDS = ("ddp", "zero-0", "zero-1", "zero-2", "zero-3", "horovod")
EXACT = 1e-5
AFTER_ALL_STEPS = 1e-4
TIMEOUT_S = 4.0
PATIENCE_S = 60.0


def relative(ours: dict, theirs: dict) -> float:
    """The largest difference of any tensor, over the tensor's largest value."""
    assert ours.keys() == theirs.keys()
    pairs = [(np.array(ours[name]), np.array(theirs[name])) for name in theirs]
    return max(float(np.abs(one - other).max() / np.abs(other).max()) for one, other in pairs)


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_ranks_have_the_gradients_of_one_process_with_dropout_on(backend, on_two_ranks, alone):
    gradients = on_two_ranks(backend)["whole"]["gradients"]
    assert len(gradients) == 2 * 5
    assert relative(gradients, alone["gradients"]) < EXACT


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_denominator_of_the_slice_instead_of_the_batch_gives_other_gradients(backend, on_two_ranks, alone):
    local = on_two_ranks(backend)["local"]["gradients"]
    assert relative(local, {name: alone["gradients"][name] for name in local}) > 1000 * EXACT


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_ranks_end_with_the_parameters_and_metrics_of_one_process(backend, on_two_ranks, alone):
    whole = on_two_ranks(backend)["whole"]
    for ours, theirs in zip(whole["parameters"], alone["parameters"], strict=True):
        assert relative(ours, theirs) < AFTER_ALL_STEPS
    for (step, name, value), (other_step, other_name, expected) in zip(whole["metrics"], alone["metrics"], strict=True):
        assert (step, name) == (other_step, other_name)
        assert value == pytest.approx(expected, rel=AFTER_ALL_STEPS)


@pytest.fixture(scope="module")
def deaths(tmp_path_factory):
    """Three ranks each, of which one is killed, or stopped as SIGSTOP does; what the survivors said, and after when."""
    cases = {"kill 1": {"kill": (1, 20)}, "kill 0": {"kill": (0, 20)}, "hang 0": {"hang": (0, 20)}}
    told = {}
    for name, changes in cases.items():
        folder = tmp_path_factory.mktemp(name.replace(" ", "-"))
        scenario = Scenario(str(folder / "run"), backend={"kind": "ddp"}, steps=5000, step_s=0.01, **changes)
        processes = start([scenario], folder, 3, TIMEOUT_S=str(TIMEOUT_S))
        told[name] = _watch(processes, victim=int(name[-1]))
    return told


def _watch(processes: list[subprocess.Popen[str]], victim: int) -> tuple[list[str], float]:
    """Return what each survivor said last, and the seconds from the victim's end to that of the last survivor."""
    state = Path(f"/proc/{processes[victim].pid}/stat")
    survivors = [process for rank, process in enumerate(processes) if rank != victim]
    deadline = time.monotonic() + PATIENCE_S
    try:
        while processes[victim].poll() is None and state.read_text().rpartition(")")[2].split()[0] != "T":
            assert time.monotonic() < deadline, "the victim lives"
            time.sleep(0.02)
        died = time.monotonic()
        errors = [process.communicate(timeout=PATIENCE_S)[1] for process in survivors]
        return [line for text in errors for line in text.splitlines() if "FAILED" in line], time.monotonic() - died
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.communicate()


@pytest.mark.parametrize(("how", "rank"), [("kill 1", 1), ("kill 0", 0), ("hang 0", 0)])
def test_a_rank_that_dies_or_hangs_is_named_by_all_others_within_the_time_out(how, rank, deaths):
    lines, seconds = deaths[how]
    assert len(lines) == 2
    assert all(
        re.search(rf"PeerLostError: rank \d: lost rank {rank} on \S+; look into its log", line) for line in lines
    )
    # A second time-out for a collective begun meanwhile, and the look at who is still there.
    assert seconds < 2 * TIMEOUT_S + 6.0
