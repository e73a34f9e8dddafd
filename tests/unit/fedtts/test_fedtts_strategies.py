import math

import numpy as np
import pytest

from chorale.experiments.fedtts.config.federation import StrategyConfig
from chorale.experiments.fedtts.federation.scaffold import control_delta, control_name, correction, moved_controls
from chorale.experiments.fedtts.federation.strategies import make_strategy

pytestmark = pytest.mark.unit
KINDS = ("fedavg", "fedavgm", "fedprox", "fedadam", "fedyogi", "fedadagrad", "scaffold")


def strategy(kind, **changes):
    return make_strategy(
        StrategyConfig(kind=kind, **{"rate": 0.5, "momentum": 0.9, "beta2": 0.75, "tau": 0.5, **changes})
    )


def two_steps(kind, first=0.4, second=-0.2, **changes):
    """Where a scalar that begins at 1 stands after two pseudo-gradients."""
    rule, tensors = strategy(kind, **changes), {"x": np.array([1.0], np.float32)}
    values = []
    for delta in (first, second):
        tensors = rule.step(tensors, {"x": np.array([delta])})
        values.append(float(tensors["x"][0]))
    return values


@pytest.mark.parametrize("kind", ["fedavg", "fedprox", "scaffold"])
def test_an_average_is_added_with_the_servers_rate(kind):
    assert two_steps(kind) == pytest.approx([1 + 0.5 * 0.4, 1.2 - 0.5 * 0.2], rel=1e-6)


def test_fedavgm_keeps_a_velocity():
    # v1 = 0.4; v2 = 0.9 * 0.4 - 0.2 = 0.16
    assert two_steps("fedavgm") == pytest.approx([1.2, 1.2 + 0.5 * 0.16], rel=1e-6)


def test_fedadagrad_adds_squares_up():
    # m1 = 0.04, v1 = 0.25 + 0.16; m2 = 0.036 - 0.02 = 0.016, v2 = v1 + 0.04
    first = 1 + 0.5 * 0.04 / (math.sqrt(0.41) + 0.5)
    second = first + 0.5 * 0.016 / (math.sqrt(0.45) + 0.5)
    assert two_steps("fedadagrad") == pytest.approx([first, second], rel=1e-6)


def test_fedadam_averages_squares():
    # v1 = 0.75 * 0.25 + 0.25 * 0.16 = 0.2275; v2 = 0.75 * 0.2275 + 0.25 * 0.04 = 0.180625
    first = 1 + 0.5 * 0.04 / (math.sqrt(0.2275) + 0.5)
    second = first + 0.5 * 0.016 / (math.sqrt(0.180625) + 0.5)
    assert two_steps("fedadam") == pytest.approx([first, second], rel=1e-6)


def test_fedyogi_moves_its_second_moment_by_the_square_whatever_the_distance():
    # v1 = 0.25 - 0.25 * 0.16 = 0.21; v2 = 0.21 - 0.25 * 0.04 = 0.2
    first = 1 + 0.5 * 0.04 / (math.sqrt(0.21) + 0.5)
    second = first + 0.5 * 0.016 / (math.sqrt(0.2) + 0.5)
    assert two_steps("fedyogi") == pytest.approx([first, second], rel=1e-6)
    # Where the square is the larger, the moment grows: m = 4, v = 0.25 + 0.25 * 1600
    (grown, _) = two_steps("fedyogi", first=40.0)
    assert grown == pytest.approx(1 + 0.5 * 4 / (math.sqrt(400.25) + 0.5), rel=1e-6)


def draws(seed, names=("a", "b")):
    generator = np.random.default_rng(seed)
    return {name: generator.standard_normal((2, 3)) for name in names}


@pytest.mark.parametrize("kind", KINDS)
def test_a_rule_goes_on_from_its_saved_state_as_if_it_had_never_stopped(kind):
    tensors = {name: np.zeros((2, 3), np.float32) for name in ("a", "b")}
    rule, other = strategy(kind), strategy(kind)
    tensors |= rule.step(tensors, draws(0))
    other.restore({name: value.copy() for name, value in rule.state().items()})
    ours, theirs = other.step(tensors, draws(1)), rule.step(tensors, draws(1))
    assert all(np.array_equal(ours[name], theirs[name]) for name in ("a", "b"))


@pytest.mark.parametrize("kind", ["fedavgm", "fedadam", "fedyogi", "fedadagrad"])
def test_a_rule_that_forgets_its_state_goes_elsewhere(kind):
    tensors = {name: np.zeros((2, 3), np.float32) for name in ("a", "b")}
    rule = strategy(kind)
    rule.step(tensors, draws(0))
    assert not np.array_equal(rule.step(tensors, draws(1))["a"], strategy(kind).step(tensors, draws(1))["a"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_that_takes_no_part_keeps_its_value_and_state_and_a_new_one_begins_afresh(kind):
    tensors = {name: np.zeros((2, 3), np.float32) for name in ("a", "b")}
    rule = strategy(kind)
    tensors |= rule.step(tensors, draws(0, ("a",)))
    assert set(rule.step(tensors, draws(1, ("a",)))) == {"a"}
    late = rule.step(tensors, draws(2, ("b",)))["b"]
    assert np.array_equal(late, strategy(kind).step(tensors, draws(2, ("b",)))["b"])
    assert late.dtype == np.float32


def test_scaffolds_correction_is_the_servers_variate_minus_the_clients():
    server = {"x": np.array([0.5], np.float32), "y": np.array([2.0], np.float32)}
    found = correction(["x", "y"], server, {"x": np.array([0.2], np.float32)})
    assert found["x"] == pytest.approx(0.3)
    assert found["y"] == pytest.approx(2.0)


def test_scaffolds_option_two_moves_a_variate_by_the_mean_gradient_of_the_round():
    # Two steps at rate 0.1 from 1.0 to 0.94: the mean gradient was 0.3, so c_i+ - c_i = -c + 0.3
    delta = {"x": np.array([-0.06], np.float32)}
    moved = control_delta(delta, {"x": np.array([0.5], np.float32)}, steps=2, rate=0.1)
    assert moved["x"] == pytest.approx(-0.5 + 0.3, rel=1e-6)
    # 2 of 8 clients answered, and moved theirs by -0.2 on average.
    name = control_name("x")
    after = moved_controls({name: np.array([0.5], np.float32)}, {name: np.array([-0.2])}, answered=2, clients=8)
    assert after[name] == pytest.approx(0.5 - 0.25 * 0.2)
