import pytest
import torch
from torch import nn

from chorale.core.errors import InputError
from chorale.experiments.datafree.networks.batch_statistics import BatchStatistics
from chorale.experiments.datafree.networks.connectors import Connectors
from chorale.experiments.datafree.networks.registry import build_classifier
from chorale.experiments.datafree.networks.shapes import ImageShape
from chorale.experiments.datafree.networks.taps import Tapped, require_same_places, require_taps, tap_shapes, taps_of

pytestmark = pytest.mark.unit
SHAPE = ImageShape(1, 28, 28)


class Wrapped(nn.Module):
    """As an engine wraps: the bare network's submodules do the work."""

    def __init__(self, network):
        super().__init__()
        self.module = network

    def forward(self, images):
        return self.module(images)


def hooks(network):
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in network.modules())


def test_the_last_tap_of_a_resnet_is_what_its_output_is_computed_from():
    network = build_classifier("resnet8", SHAPE, 10, seed=0).eval()
    with Tapped(network, network.taps) as tapped:
        logits = network(torch.randn(3, *SHAPE))
    deepest = tapped.outputs[-1]
    assert (deepest < 0).any()
    assert torch.allclose(network.output(torch.relu(deepest).mean((2, 3))), logits, atol=1e-6)


def test_the_taps_of_lenet5_are_its_convolutions_outputs():
    network, images = build_classifier("lenet5", SHAPE, 10, seed=0), torch.randn(3, *SHAPE)
    with Tapped(network, network.taps) as tapped:
        network(images)
    first, second, _ = tapped.outputs
    assert torch.equal(first, network.conv1(images))
    assert torch.allclose(second, network.conv2(nn.functional.max_pool2d(torch.relu(first), 2)), atol=1e-6)


def test_taps_are_read_through_a_wrapper_in_the_order_of_their_names_and_no_hook_stays():
    network, images = build_classifier("mlp", ImageShape(2, 1, 1), 3, seed=0), torch.randn(4, 2, 1, 1)
    with Tapped(network, ("hidden.2", "hidden.0")) as tapped:
        assert hooks(network) == 2
        Wrapped(network)(images)
    assert hooks(network) == 0
    assert torch.equal(tapped.outputs[1], network.hidden[0](images.flatten(1)))


def test_no_hook_stays_after_an_error():
    network = build_classifier("mlp", ImageShape(2, 1, 1), 3, seed=0)
    with pytest.raises(RuntimeError), Tapped(network, network.taps):
        network(torch.randn(4, 5, 1, 1))
    assert hooks(network) == 0


def test_gradients_of_a_frozen_teachers_taps_flow_to_the_images_and_not_to_its_parameters():
    teacher = build_classifier("resnet8", SHAPE, 10, seed=0).eval().requires_grad_(False)
    images = torch.randn(2, *SHAPE, requires_grad=True)
    with Tapped(teacher, teacher.taps) as tapped:
        teacher(images)
    tapped.outputs[0].sum().backward()
    assert images.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_gradients_of_a_tap_reach_the_layers_before_it_alone():
    student = build_classifier("lenet5-half", SHAPE, 10, seed=0)
    with Tapped(student, student.taps) as tapped:
        student(torch.randn(2, *SHAPE))
    tapped.outputs[1].square().sum().backward()
    reached = {name for name, parameter in student.named_parameters() if parameter.grad is not None}
    assert reached == {"conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias"}


def test_two_passes_through_one_tapped_or_none_are_refused():
    network, images = build_classifier("lenet5", SHAPE, 10, seed=0), torch.randn(1, *SHAPE)
    with Tapped(network, network.taps) as tapped, pytest.raises(ValueError, match="conv1 was computed twice"):
        network(images)
        network(images)
    with Tapped(network, network.taps) as tapped:
        pass
    with pytest.raises(ValueError, match="no forward pass went through conv1, conv2, conv3"):
        _ = tapped.outputs


@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad])
def test_a_tap_that_a_later_layer_overwrites_is_an_error_in_one_line(mode):
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True), nn.Linear(4, 2))
    with mode(), Tapped(network, ("0",)) as tapped:
        network(torch.randn(2, 3))
    with pytest.raises(InputError, match="tap '0': a later layer overwrites its output; give that layer"):
        _ = tapped.outputs


def test_taps_are_read_in_inference_mode_too():
    network = build_classifier("lenet5", SHAPE, 10, seed=0)
    with torch.inference_mode(), Tapped(network, network.taps) as tapped:
        network(torch.randn(2, *SHAPE))
    assert len(tapped.outputs) == 3


def test_a_tap_without_a_tensor_is_an_error_in_one_line():
    network = nn.Sequential(nn.LSTM(3, 4))
    with pytest.raises(InputError, match="tap '0': its output is no tensor but tuple"), Tapped(network, ("0",)):
        network(torch.randn(2, 5, 3))


def test_configured_taps_come_before_the_networks_own_and_a_plain_network_has_none():
    network = build_classifier("lenet5", SHAPE, 10, seed=0)
    assert taps_of(network) == ("conv1", "conv2", "conv3")
    assert taps_of(network, ["conv2"]) == ("conv2",)
    plain = nn.Sequential(nn.Linear(2, 3))
    assert taps_of(plain) == ()
    assert taps_of(plain, ["0"]) == ("0",)
    with pytest.raises(InputError, match=r"tap 'conv4': LeNet5 has no such submodule; did you mean conv"):
        taps_of(network, ["conv4"])
    with pytest.raises(InputError, match=r"^the student mine:net has no taps, which .* in student.taps or"):
        require_taps(taps_of(plain), "the student mine:net", "student.taps")


def test_looking_at_shapes_leaves_a_network_as_it_was():
    network = build_classifier("resnet8", SHAPE, 10, seed=0)
    network.norm.eval()
    state = {name: value.clone() for name, value in network.state_dict().items()}
    assert [tuple(shape) for shape in tap_shapes(network, network.taps[:1], SHAPE)] == [(16, 28, 28)]
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert network.training and not network.norm.training and hooks(network) == 0


def test_taps_that_do_not_correspond_are_refused_in_one_line():
    sizes = [torch.Size([4, 8, 8]), torch.Size([8, 4, 4])]
    require_same_places(sizes, [torch.Size([16, 8, 8]), torch.Size([8, 4, 4])])
    with pytest.raises(InputError, match="the student has 2 taps, the teacher 1; name as many"):
        require_same_places(sizes, sizes[:1])
    with pytest.raises(InputError, match=r"tap 1 of the student is \(8, 4, 4\), the teacher's \(8, 2, 2\)"):
        require_same_places(sizes, [sizes[0], torch.Size([8, 2, 2])])


def sizes(*shapes):
    return [torch.Size(shape) for shape in shapes]


def test_connectors_bring_maps_and_vectors_to_the_teachers_channels_and_pass_equal_ones():
    connectors = Connectors(sizes((4, 3, 3), (5,), (8, 2, 2)), sizes((6, 3, 3), (7,), (8, 2, 2)), seed=0)
    taps = [torch.randn(9, 4, 3, 3), torch.randn(9, 5), torch.randn(9, 8, 2, 2)]
    connected = connectors(taps)
    assert [tuple(tap.shape) for tap in connected] == [(9, 6, 3, 3), (9, 7), (9, 8, 2, 2)]
    assert connected[2] is taps[2]
    affine = taps[1] @ connectors.layers[1][0].weight[:, :, 0, 0].T
    expected = (affine - affine.mean(0)) / (affine.var(0, unbiased=False) + 1e-5).sqrt()
    assert torch.allclose(connected[1], expected, atol=1e-5)
    assert {type(module).__name__ for module in connectors.layers[2].modules()} == {"Identity"}


def test_connectors_weights_depend_on_their_seed_alone():
    def weights(seed):
        return [value.clone() for value in Connectors(sizes((4, 3, 3)), sizes((6, 3, 3)), seed).parameters()]

    torch.manual_seed(0)
    first, state = weights(1), torch.get_rng_state()
    torch.rand(3)
    assert all(map(torch.equal, weights(1), first))
    assert not torch.equal(weights(2)[0], first[0])
    torch.manual_seed(0)
    assert torch.equal(torch.get_rng_state(), state)


def test_batch_statistics_are_mean_and_biased_variance_of_each_normalisations_input():
    network = build_classifier("resnet8", SHAPE, 10, seed=0)
    network(5.0 + 3.0 * torch.randn(8, *SHAPE))
    network.eval()
    images = torch.randn(4, *SHAPE)
    with BatchStatistics(network) as noted:
        Wrapped(network)(images)
    layers = noted.layers()
    normalisations = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(layers) == len(normalisations) == 9
    assert hooks(network) == 0
    first = network.stem(images)
    assert torch.allclose(layers[0].mean, first.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(layers[0].variance, first.var((0, 2, 3), unbiased=False), atol=1e-4)
    for layer, module in zip(layers, normalisations, strict=True):
        assert torch.equal(layer.running_mean, module.running_mean)
        assert torch.equal(layer.running_variance, module.running_var)
        assert layer.eps == module.eps


def test_batch_statistics_of_vectors_are_over_the_batch():
    network = nn.Sequential(nn.BatchNorm1d(3)).eval()
    vectors = torch.randn(6, 3)
    with BatchStatistics(network) as noted:
        network(vectors)
    (layer,) = noted.layers()
    assert torch.allclose(layer.mean, vectors.mean(0), atol=1e-6)
    assert torch.allclose(layer.variance, vectors.var(0, unbiased=False), atol=1e-6)


def test_gradients_of_batch_statistics_are_those_of_mean_and_variance_and_do_not_reach_a_frozen_teacher():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).eval().requires_grad_(False)
    images = torch.randn(2, 1, 5, 5, requires_grad=True)
    with BatchStatistics(network) as noted:
        network(images)
    (layer,) = noted.layers()
    weights = torch.tensor([[1.0, -2.0], [3.0, 0.5]])
    (found,) = torch.autograd.grad((weights * torch.stack(layer[:2])).sum(), images)
    features = network[0](images)
    direct = torch.stack([features.mean((0, 2, 3)), features.var((0, 2, 3), unbiased=False)])
    (expected,) = torch.autograd.grad((weights * direct).sum(), images)
    assert torch.allclose(found, expected, atol=1e-6)
    assert expected.abs().sum() > 0.1
    assert all(parameter.grad is None for parameter in network.parameters())


def test_batch_statistics_need_a_network_in_evaluation_that_has_some():
    with pytest.raises(InputError, match=r"the teacher \(LeNet5\) has no batch normalisation .*; choose a teacher"):
        BatchStatistics(build_classifier("lenet5", SHAPE, 10, seed=0))
    network = build_classifier("resnet8", SHAPE, 10, seed=0)
    with BatchStatistics(network), pytest.raises(ValueError, match="evaluation"):
        network(torch.randn(2, *SHAPE))
    network.eval()
    with BatchStatistics(network) as noted, pytest.raises(ValueError, match="computed twice"):
        network(torch.randn(2, *SHAPE))
        network(torch.randn(2, *SHAPE))
    with BatchStatistics(network) as noted:
        pass
    with pytest.raises(ValueError, match="every batch normalisation"):
        noted.layers()
