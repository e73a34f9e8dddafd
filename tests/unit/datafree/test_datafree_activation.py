import math

import numpy as np
import pytest
import torch

from chorale.experiments.datafree.losses.activation import activation_boundary, depth_weights, feature_l2
from chorale.experiments.datafree.losses.attention_transfer import attention_transfer
from chorale.experiments.datafree.metrics.boundaries import boundary_mismatch
from chorale.experiments.datafree.networks.registry import build_classifier
from chorale.experiments.datafree.networks.shapes import ImageShape
from chorale.experiments.datafree.networks.taps import Tapped

pytestmark = pytest.mark.unit
SHAPES = [(4, 3, 8, 8), (4, 6, 4, 4), (4, 10)]


def draw(seed):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(*shape, generator=generator) for shape in SHAPES]


def test_the_boundary_loss_of_a_neuron_is_that_worked_by_hand():
    cases = [  # student, teacher, margin, loss
        (0.5, 2.0, 1.0, 0.25),  # active, but within the margin
        (1.0, 2.0, 1.0, 0.0),
        (3.0, 0.1, 1.0, 0.0),  # beyond the margin on the right side costs nothing, whatever the teacher's value
        (-2.0, 0.1, 1.0, 9.0),
        (-0.5, -7.0, 1.0, 0.25),
        (-1.0, -7.0, 1.0, 0.0),
        (2.0, -0.1, 1.0, 9.0),
        (2.0, 0.0, 1.0, 9.0),  # a teacher at 0 is not active
        (0.5, 2.0, 3.0, 6.25),
    ]
    for student, teacher, margin, expected in cases:
        found = activation_boundary([torch.tensor([[student]])], [torch.tensor([[teacher]])], margin)
        assert float(found) == pytest.approx(expected), (student, teacher, margin)


def as_published(student, teacher, margin):
    """The authors' expression, in numpy, with the mean over neurons."""
    s, t = student.numpy().astype(float), teacher.numpy().astype(float)
    loss = (s + margin) ** 2 * ((s > -margin) & (t <= 0)) + (s - margin) ** 2 * ((s <= margin) & (t > 0))
    return loss.reshape(len(s), -1).mean(axis=1).sum()


@pytest.mark.parametrize("margin", [0.5, 1.0, 2.0])
def test_the_boundary_loss_is_the_published_expression_weighted_by_depth(margin):
    students, teachers = draw(0), draw(1)
    expected = sum(
        weight * as_published(*pair, margin)
        for weight, pair in zip([0.25, 0.5, 1.0], zip(students, teachers, strict=True), strict=True)
    )
    assert float(activation_boundary(students, teachers, margin)) == pytest.approx(expected, rel=1e-5)


def test_depth_weights_halve_from_the_deepest_up():
    assert depth_weights(1) == [1.0]
    assert depth_weights(4) == [0.125, 0.25, 0.5, 1.0]


def test_feature_matching_is_the_squared_difference_weighted_by_depth():
    students, teachers = draw(0), draw(1)
    expected = sum(
        weight * float(np.square((s - t).numpy()).reshape(4, -1).mean(1).sum())
        for weight, s, t in zip([0.25, 0.5, 1.0], students, teachers, strict=True)
    )
    assert float(feature_l2(students, teachers)) == pytest.approx(expected, rel=1e-5)
    assert float(feature_l2([torch.tensor([[1.0, 4.0]])], [torch.tensor([[3.0, 5.0]])])) == pytest.approx(2.5)


def test_attention_of_two_places_is_that_worked_by_hand():
    # Channels (3, -1) and (4, 1) at two places: after ReLU the mean squares are 4.5 and 8.5.
    student = torch.tensor([[3.0, 4.0], [-1.0, 1.0]]).view(1, 2, 1, 2)
    teacher = torch.tensor([2.0, 0.0]).view(1, 1, 1, 2)
    norm = math.hypot(4.5, 8.5)
    expected = ((4.5 / norm - 1) ** 2 + (8.5 / norm) ** 2) / 2
    assert float(attention_transfer([student], [teacher])) == pytest.approx(expected, rel=1e-5)


def test_attention_transfer_is_the_published_code_on_activations_and_ignores_scale():
    students, teachers = draw(0)[:2], [torch.randn(4, 5, *shape[2:]) for shape in SHAPES[:2]]
    expected = 0.0
    for s, t in zip(students, teachers, strict=True):
        maps = []
        for values in (s, t):
            squares = np.square(np.maximum(values.numpy(), 0)).mean(1).reshape(4, -1)
            maps.append(squares / np.linalg.norm(squares, axis=1, keepdims=True))
        expected += 4 * np.square(maps[0] - maps[1]).mean()
    assert float(attention_transfer(students, teachers)) == pytest.approx(expected, rel=1e-5)
    scaled = attention_transfer([3.0 * values for values in students], teachers)
    assert float(scaled) == pytest.approx(expected, rel=1e-5)


def test_attention_has_finite_gradients_where_nothing_is_active_and_none_without_places():
    student = torch.full((1, 2, 2, 2), -1.0, requires_grad=True)
    attention_transfer([student], [torch.rand(1, 2, 2, 2)]).backward()
    assert torch.isfinite(student.grad).all()
    with pytest.raises(ValueError, match="no attention maps of one size"):
        attention_transfer([torch.rand(2, 3)], [torch.rand(2, 3)])
    with pytest.raises(ValueError, match="no attention maps of one size"):
        attention_transfer([torch.rand(2, 3, 4, 4)], [torch.rand(2, 3, 2, 2)])


LOSSES = {
    "boundary": lambda s, t: activation_boundary(s, t, 1.0),
    "l2": feature_l2,
    "attention": lambda s, t: attention_transfer(s[:2], t[:2]),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_losses_of_two_halves_of_a_batch_add_up_to_the_batchs(loss):
    students, teachers = draw(2), draw(3)
    halves = [
        loss([values[part] for values in students], [values[part] for values in teachers])
        for part in (slice(0, 1), slice(1, 4))
    ]
    assert float(sum(halves)) == pytest.approx(float(loss(students, teachers)), rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_a_student_equal_to_its_teacher_and_beyond_the_margin_loses_nothing(loss):
    values = [2.0 * (value.sign() + value) for value in draw(0)]
    assert float(loss(values, values)) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_losses_on_taps_are_fp32_whatever_the_networks_compute_in(loss):
    students, teachers = ([value.bfloat16() for value in draw(seed)] for seed in (0, 1))
    found = loss(students, teachers)
    assert found.dtype == torch.float32
    assert float(found) == pytest.approx(float(loss([v.float() for v in students], [v.float() for v in teachers])))


def test_the_boundary_loss_trains_the_student_alone_while_images_get_gradients_too():
    shape = ImageShape(1, 28, 28)
    teacher = build_classifier("resnet8", shape, 10, seed=0).eval().requires_grad_(False)
    student = build_classifier("resnet8", shape, 10, seed=1)
    images = torch.randn(2, *shape, requires_grad=True)
    with Tapped(teacher, teacher.taps) as theirs, Tapped(student, student.taps) as ours:
        teacher(images), student(images)
    activation_boundary(ours.outputs, theirs.outputs, 1.0).backward()
    assert all(parameter.grad is None for parameter in teacher.parameters())
    trained = {name for name, parameter in student.named_parameters() if parameter.grad is not None}
    assert trained == {name for name, _ in student.named_parameters() if not name.startswith("output.")}
    assert images.grad.abs().sum() > 0


def test_the_teacher_counts_by_its_signs_alone_so_no_gradient_flows_to_it():
    student, teacher = torch.randn(2, 3, requires_grad=True), torch.randn(2, 3, requires_grad=True)
    activation_boundary([student], [teacher], 1.0).backward()
    assert teacher.grad is None
    assert student.grad.abs().sum() > 0


def test_the_mismatch_is_the_share_of_neurons_on_the_wrong_side_per_tap():
    students = [torch.tensor([[1.0, -1.0, 2.0, 0.0], [1.0, 1.0, 1.0, 1.0]]), torch.tensor([[-1.0], [3.0]])]
    teachers = [torch.tensor([[5.0, 1.0, -2.0, -1.0], [1.0, 1.0, 1.0, 0.0]]), torch.tensor([[-9.0], [0.1]])]
    # At the first tap 2 of 4 and 1 of 4 neurons; 0 is not active.
    assert boundary_mismatch(students, teachers) == pytest.approx([0.75, 0.0])


def test_a_student_that_minimises_the_boundary_loss_mismatches_no_neuron():
    teacher = torch.randn(8, 20)
    student = torch.randn(8, 20, requires_grad=True)
    before = boundary_mismatch([student], [teacher])[0]
    for _ in range(30):
        (gradient,) = torch.autograd.grad(activation_boundary([student], [teacher], 1.0), student)
        student = (student - 5.0 * gradient).detach().requires_grad_()
    assert before > 2.0
    assert boundary_mismatch([student], [teacher]) == [0.0]
