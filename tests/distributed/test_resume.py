"""Interrupted and taken up by ranks: bit for bit with as many, correctly with another number of them."""

from pathlib import Path

import pytest
from ranks import carry_out_on
from small_training import Scenario, carry_out
from test_backends import AFTER_ALL_STEPS, BACKENDS, relative

pytestmark = pytest.mark.distributed
STEPS = 8


def same(one: dict, other: dict) -> bool:
    return one["hashes"] == other["hashes"] and one["metrics"] == other["metrics"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_interrupted_again_and_again_two_ranks_end_as_if_they_had_never_stopped(backend, on_two_ranks):
    outcomes = on_two_ranks(backend)
    assert len(outcomes["interrupted"]["stopped"]) == 3
    assert same(outcomes["interrupted"], outcomes["undisturbed"])


@pytest.mark.parametrize(
    ("backend", "left_out"),
    [*((backend, "torch") for backend in BACKENDS), ("ddp", "python"), ("ddp", "numpy"), ("ddp", "accumulators")],
)
def test_with_one_state_left_out_of_the_checkpoint_they_do_not_end_the_same(backend, left_out, on_two_ranks):
    outcomes = on_two_ranks(backend)
    assert not same(outcomes[f"without {left_out}"], outcomes["undisturbed"])


def agrees(result: dict, whole: dict) -> None:
    """Both trainings are the same but for rounding, running statistics and metrics included."""
    for ours, theirs in zip(result["parameters"], whole["parameters"], strict=True):
        assert relative(ours, theirs) < AFTER_ALL_STEPS
    for (step, name, value), (other_step, other_name, expected) in zip(
        result["metrics"], whole["metrics"], strict=True
    ):
        assert (step, name) == (other_step, other_name)
        assert value == pytest.approx(expected, rel=AFTER_ALL_STEPS)


def go_on(folder: Path, backend: dict) -> Scenario:
    return Scenario(str(folder), steps=STEPS, backend=backend, engines=2, stops=(None,))


def test_ddp_goes_on_with_one_process_instead_of_two(on_two_ranks, tmp_path_factory):
    outcomes = on_two_ranks("ddp")
    folder = next(tmp_path_factory.getbasetemp().glob("ddp*/half"))
    result = carry_out(go_on(folder, {"kind": "ddp"}))
    assert result["first_steps"][-1] == 4
    agrees(result, outcomes["whole"])


def test_zero_2_goes_on_with_one_rank_instead_of_two(on_two_ranks, tmp_path_factory, tmp_path):
    outcomes = on_two_ranks("zero-2")
    folder = next(tmp_path_factory.getbasetemp().glob("zero-2*/half"))
    (result,) = carry_out_on([go_on(folder, {"kind": "deepspeed", "zero_stage": 2})], tmp_path, size=1)
    assert result["first_steps"][-1] == 4
    agrees(result, outcomes["whole"])


def test_zero_3_goes_on_with_one_rank_instead_of_two(on_two_ranks, tmp_path_factory, tmp_path):
    outcomes = on_two_ranks("zero-3")
    folder = next(tmp_path_factory.getbasetemp().glob("zero-3*/half"))
    (result,) = carry_out_on([go_on(folder, {"kind": "deepspeed", "zero_stage": 3})], tmp_path, size=1)
    assert result["first_steps"][-1] == 4
    agrees(result, outcomes["whole"])
