"""Claims about ways of distilling: who learns from what, what it costs, and what a collapsed generator leads to."""

import pytest
import torch
from small_distillation import METHODS, losses, made_up_data, small_config, small_task, small_teacher

from chorale.core.errors import InputError, WorkError
from chorale.experiments.datafree.building import build_parts
from chorale.experiments.datafree.methods.adversarial import Adversarial, shares
from chorale.experiments.datafree.methods.choice import METHODS as CLASSES_OF
from chorale.experiments.datafree.methods.choice import make_method, rounds_of
from chorale.experiments.datafree.metrics.collapse import Figures
from chorale.ranks.group import SingleProcess
from chorale.training.task import slice_of

pytestmark = pytest.mark.unit
CPU = torch.device("cpu")


def parts_of(config):
    return build_parts(small_teacher(config.teacher.network), made_up_data(), config, SingleProcess(), CPU)


def copied(network):
    return {name: value.clone() for name, value in network.named_parameters()}


def changed(network, before):
    return any(not torch.equal(value, before[name]) for name, value in network.named_parameters())


@pytest.mark.parametrize("method", METHODS)
def test_a_round_moves_the_student_and_the_generator_and_never_the_teacher(method):
    config = small_config(method)
    parts = parts_of(config)
    teacher = parts.players.teacher
    before = [copied(network) for network in (teacher, parts.players.student_network)]
    buffers = [buffer.clone() for buffer in teacher.buffers()]
    generator = None if parts.generator is None else copied(parts.generator.network)
    make_method(parts.players, config, made_up_data()).round(0)
    assert not changed(teacher, before[0])
    assert all(torch.equal(*pair) for pair in zip(buffers, teacher.buffers(), strict=True))
    assert changed(parts.players.student_network, before[1])
    assert generator is None or changed(parts.generator.network, generator)


def test_the_generators_step_does_not_touch_the_student_and_the_reverse():
    config = small_config("dfad-ar-vi")
    parts = parts_of(config)
    method = make_method(parts.players, config, made_up_data())
    assert isinstance(method, Adversarial)
    student, generator = parts.players.student_model, parts.generator.network
    before = copied(student), copied(generator)
    parts.players.challenge(method._challenge, "generator", 0, 0)
    assert not changed(student, before[0]) and changed(generator, before[1])
    assert all(parameter.grad is None for parameter in student.parameters())
    assert all(parameter.requires_grad for parameter in student.parameters())
    before = copied(student), copied(generator)
    method._teach(0, 0)
    assert changed(student, before[0]) and not changed(generator, before[1])


@pytest.mark.parametrize("method", METHODS)
def test_the_teacher_is_asked_as_often_as_is_counted(method):
    config = small_config(method)
    parts = parts_of(config)
    asked = []
    parts.players.teacher.register_forward_pre_hook(lambda module, inputs: asked.append(len(inputs[0])))
    make_method(parts.players, config, made_up_data()).round(0)
    assert sum(asked) == CLASSES_OF[config.method.kind].queries(config)


@pytest.mark.parametrize(
    "between", [{"kind": "mixed", "ask_again": True}, {"kind": "unmixed"}, {"kind": "mixed", "labels": "probabilities"}]
)
def test_what_interpolation_asks_besides_is_counted(between):
    config = small_config(method={"interpolation": between})
    parts = parts_of(config)
    asked = []
    parts.players.teacher.register_forward_pre_hook(lambda module, inputs: asked.append(len(inputs[0])))
    make_method(parts.players, config, made_up_data()).round(0)
    assert sum(asked) == Adversarial.queries(config)
    assert rounds_of(config) == 10**4 // Adversarial.queries(config)


def test_a_student_learns_from_real_images_what_it_does_not_from_noise():
    found = {}
    for method in ("real", "noise"):
        task = small_task(small_config(method, student={"steps": 5}))
        for step in range(40):
            task.step(step)
        found[method] = task.evaluate(40)["agreement"]
    assert found["real"] > found["noise"]
    assert found["real"] > 0.5


def test_every_seed_has_a_student_of_its_own_that_all_arms_share():
    weights = {}
    for method in ("dfad", "noise"):
        for seed in (0, 1):
            parts = parts_of(small_config(method, seed=seed))
            weights[method, seed] = copied(parts.players.student_network)
    assert all(torch.equal(value, weights["noise", 0][name]) for name, value in weights["dfad", 0].items())
    assert any(not torch.equal(value, weights["dfad", 1][name]) for name, value in weights["dfad", 0].items())


def test_a_distillation_is_a_function_of_its_seed():
    assert losses("dfad", {"kind": "single"})[:3] == losses("dfad", {"kind": "single"})[:3]


def test_shares_of_two_ranks_are_those_of_one():
    whole = shares(9, slice_of(16, 0, 1), 1.0)
    assert whole.shape == (8,) and bool(((whole >= 0) & (whole <= 1)).all())
    torch.testing.assert_close(torch.cat([shares(9, slice_of(16, rank, 2), 1.0) for rank in range(2)]), whole)


def collapse(task):
    """Let the generator make one image whatever it is given."""
    with torch.no_grad():
        for parameter in task._parts.generator.network.parameters():
            parameter.zero_()


def test_a_collapsed_generator_ends_the_training_with_a_line():
    task = small_task(small_config(collapse={"action": "stop", "patience": 2}))
    collapse(task)
    task.evaluate(1)
    with pytest.raises(WorkError, match=r"round 2: the generator has collapsed \(deviation over a batch 0\.000"):
        task.evaluate(2)


def test_a_collapsed_generator_begins_anew_as_often_as_is_allowed():
    task = small_task(small_config(collapse={"action": "restart", "patience": 1, "restarts": 1}))
    first = copied(task._parts.generator.network)
    task.step(0)
    collapse(task)
    task.evaluate(1)
    anew = copied(task._parts.generator.network)
    assert any(not torch.equal(value, first[name]) for name, value in anew.items())
    assert not task._parts.generator._optimizer.state
    assert task.gauges(1)["restarts"] == 1.0
    assert task.state() == {"restarts": 1, "suspicions": 0}
    task.step(1)
    collapse(task)
    with pytest.raises(WorkError, match="collapsed"):
        task.evaluate(2)


def test_a_generator_that_makes_different_images_is_left_alone(monkeypatch):
    task = small_task(small_config(collapse={"action": "stop", "patience": 1, "label_entropy": 0.0}))
    task.evaluate(1)
    task._judge(2, Figures(deviation=1.0, distance=1.4, label_entropy=1.0))


def test_a_network_without_taps_is_refused_where_pre_activations_are_compared():
    config = small_config("dfad-ar-vi", student={"network": "users_networks:plain"})
    with pytest.raises(InputError, match=r"the student users_networks:plain has no taps"):
        parts_of(config)


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"schedule": {"batch": 7}}, "schedule.batch: an even number was expected"),
        ({"moons": {}}, "exactly one of them was expected"),
        ({"backend": {"kind": "deepspeed", "zero_stage": 3}}, "3 takes the student apart"),
        ({"schedule": {"batch": 6}, "backend": {"kind": "ddp", "nodes": 2}}, "does not go round 2 ranks in pairs"),
        ({"method": {"activation": {"generator_weight": 1.0}}}, "without weight nothing trains the connectors"),
        ({"method": {"kind": "dafl", "activation": {"weight": 1.0}}}, "are of kind dfad"),
        (
            {"backend": {"kind": "deepspeed"}, "collapse": {"action": "restart"}},
            "DeepSpeed cannot let a generator begin anew",
        ),
    ],
)
def test_what_does_not_fit_together_is_told(values, line):
    with pytest.raises(InputError, match=line):
        small_config(**values)
