import pytest
from small_training import Scenario, carry_out

pytestmark = pytest.mark.unit
STEPS = 8


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return carry_out(Scenario(str(tmp_path_factory.mktemp("undisturbed")), steps=STEPS, own_draws=True, engines=2))


def interrupted(directory, *stops, **changes):
    scenario = Scenario(str(directory), steps=STEPS, own_draws=True, engines=2, stops=(*stops, None), **changes)
    return carry_out(scenario)


def same(one, other):
    return one["hashes"] == other["hashes"] and one["metrics"] == other["metrics"]


@pytest.mark.parametrize("step", range(1, STEPS))
def test_interrupted_at_any_step_and_taken_up_it_ends_as_if_it_had_never_stopped(step, undisturbed, tmp_path):
    result = interrupted(tmp_path, step)
    assert result["stopped"] == [f"stopped and saved after step {step} of {STEPS}"]
    assert same(result, undisturbed)


def test_interrupted_at_every_step_it_ends_as_if_it_had_never_stopped(undisturbed, tmp_path):
    result = interrupted(tmp_path, *range(1, STEPS))
    assert len(result["stopped"]) == STEPS - 1
    assert same(result, undisturbed)


@pytest.mark.parametrize("left_out", ["python", "numpy", "torch", "task", "accumulators"])
def test_a_build_that_leaves_one_state_out_of_the_checkpoint_does_not_end_the_same(left_out, undisturbed, tmp_path):
    assert not same(interrupted(tmp_path, 5, checkpoint={"leave_out": left_out}), undisturbed)


def test_a_stop_in_the_last_step_is_the_end(undisturbed, tmp_path):
    result = carry_out(Scenario(str(tmp_path), steps=STEPS, own_draws=True, engines=2, stops=(STEPS,)))
    assert result["stopped"] == [] and same(result, undisturbed)


def test_a_finished_training_is_not_done_again(undisturbed, tmp_path):
    result = carry_out(Scenario(str(tmp_path), steps=STEPS, own_draws=True, engines=2, stops=(None, None)))
    assert same(result, undisturbed)


def test_without_a_stop_it_goes_on_from_the_newest_checkpoint(undisturbed, tmp_path):
    result = interrupted(tmp_path, 5, checkpoint={"every_steps": 2})
    assert same(result, undisturbed)
    assert [path.name for path in sorted(tmp_path.glob("checkpoints/train/000000/*"))] == [
        "step-00000006",
        "step-00000008",
    ]


def test_clipping_is_to_the_global_norm(tmp_path):
    loose = carry_out(Scenario(str(tmp_path / "1"), backend={"clip_norm": 1e6}))
    tight = carry_out(Scenario(str(tmp_path / "2"), backend={"clip_norm": 1e-6}))
    assert carry_out(Scenario(str(tmp_path / "3")))["hashes"] == loose["hashes"] != tight["hashes"]
