import random
import re

import pytest
import torch
from torch import nn

from chorale.core.errors import InputError
from chorale.experiments.datafree.networks.lenet import HALF_WIDTHS, WIDTHS, LeNet5
from chorale.experiments.datafree.networks.names import CLASSIFIERS, GENERATORS, require_known
from chorale.experiments.datafree.networks.registry import build_classifier, build_generator
from chorale.experiments.datafree.networks.shapes import ImageShape
from chorale.experiments.datafree.networks.taps import tap_shapes, taps_of
from chorale.ranks.batch_norm import GlobalBatchNorm1d, GlobalBatchNorm2d

pytestmark = pytest.mark.unit
CIFAR, MNIST, PLANE = ImageShape(3, 32, 32), ImageShape(1, 28, 28), ImageShape(2, 1, 1)
SMALL = ("lenet5", "lenet5-half", "resnet8", "resnet8-half", "resnet14-coarse", "resnet8-coarse")


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [28, 32])
def test_small_classifiers_take_both_sizes_in_grey_and_colour(name, channels, size):
    network = build_classifier(name, ImageShape(channels, size, size), 10, seed=0)
    assert network(torch.randn(2, channels, size, size)).shape == (2, 10)


@pytest.mark.parametrize("name", ["resnet18", "resnet34"])
@pytest.mark.parametrize("shape", [MNIST, CIFAR])
def test_large_classifiers_take_both_sizes(name, shape):
    network = build_classifier(name, shape, 100, seed=0)
    assert network(torch.zeros(1, *shape).expand(2, -1, -1, -1)).shape == (2, 100)


@pytest.mark.parametrize("name", ["mlp", "mlp-half"])
def test_a_perceptron_takes_points_of_the_plane(name):
    assert build_classifier(name, PLANE, 3, seed=0)(torch.randn(5, *PLANE)).shape == (5, 3)


def test_every_name_is_built_by_the_registry():
    shapes = {name: PLANE if "mlp" in name else CIFAR for name in CLASSIFIERS}
    networks = {name: build_classifier(name, shape, 10, seed=0) for name, shape in shapes.items()}
    sizes = {
        (parameters(network), tuple(tap_shapes(network, network.taps, shapes[name])))
        for name, network in networks.items()
    }
    assert len(sizes) == len(CLASSIFIERS)
    for name in GENERATORS:
        assert build_generator(name, MNIST, 7, seed=0, width=8)(torch.randn(2, 7)).shape == (2, *MNIST)


def test_resnet18_and_resnet34_have_the_parameters_of_their_cifar_form():
    assert parameters(build_classifier("resnet18", CIFAR, 10, seed=0)) == 11_173_962
    assert parameters(build_classifier("resnet34", CIFAR, 10, seed=0)) == 21_282_122


def test_lenet5_and_its_half_have_the_parameters_counted_by_hand():
    whole = 25 * 6 + 6 + 25 * 6 * 16 + 16 + 25 * 16 * 120 + 120 + 120 * 84 + 84 + 84 * 10 + 10
    assert parameters(build_classifier("lenet5", MNIST, 10, seed=0)) == whole == 61_706
    half = 25 * 3 + 3 + 25 * 3 * 8 + 8 + 25 * 8 * 60 + 60 + 60 * 42 + 42 + 42 * 10 + 10
    assert parameters(build_classifier("lenet5-half", MNIST, 10, seed=0)) == half == 15_738
    assert [2 * width for width in HALF_WIDTHS] == list(WIDTHS)


def test_lenet5_sees_28_pixels_as_32_with_a_border_of_zeros():
    small, large = (
        build_classifier("lenet5", MNIST, 10, seed=1),
        build_classifier("lenet5", ImageShape(1, 32, 32), 10, 1),
    )
    images = torch.randn(3, *MNIST)
    assert torch.allclose(small(images), large(nn.functional.pad(images, (2, 2, 2, 2))), atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 30, 30), (1, 28, 32)])
def test_lenet5_refuses_other_sizes_in_one_line(shape):
    with pytest.raises(InputError, match=rf"28 x 28 or 32 x 32 pixels, not {shape[1]} x {shape[2]}; choose another"):
        LeNet5(ImageShape(*shape), 10)


def test_resnet8_has_seven_convolutions_with_weights_of_3_by_3_and_one_affine_layer():
    network = build_classifier("resnet8", CIFAR, 10, seed=0)
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert sum(module.kernel_size == (3, 3) for module in convolutions) == 7
    assert sum(isinstance(module, nn.Linear) for module in network.modules()) == 1


TAP_SHAPES = {
    ("lenet5", MNIST): [(6, 28, 28), (16, 10, 10), (120, 1, 1)],
    ("lenet5-half", CIFAR): [(3, 28, 28), (8, 10, 10), (60, 1, 1)],
    ("resnet8", MNIST): [(16, 28, 28), (32, 14, 14), (64, 7, 7)],
    ("resnet8-half", CIFAR): [(8, 32, 32), (16, 16, 16), (32, 8, 8)],
    ("resnet14-coarse", MNIST): [(8, 14, 14), (16, 7, 7), (32, 4, 4)],
    ("resnet8-coarse", MNIST): [(8, 14, 14), (16, 7, 7), (32, 4, 4)],
    ("resnet18", CIFAR): [(64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4)],
    ("resnet34", CIFAR): [(64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4)],
    ("mlp", PLANE): [(64,), (64,), (64,)],
    ("mlp-half", PLANE): [(32,), (32,), (32,)],
}


@pytest.mark.parametrize(("name", "shape"), TAP_SHAPES)
def test_taps_go_from_shallow_to_deep_and_those_of_teacher_and_student_correspond(name, shape):
    network = build_classifier(name, shape, 10, seed=0)
    assert [tuple(size) for size in tap_shapes(network, taps_of(network), shape)] == TAP_SHAPES[name, shape]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_no_network_overwrites_its_values(name):
    shape = PLANE if "mlp" in name else CIFAR
    modules = build_classifier(name, shape, 10, seed=0).modules()
    assert not any(getattr(module, "inplace", False) for module in modules)


def weights(network):
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


@pytest.mark.parametrize(
    "build",
    [
        lambda seed: build_classifier("resnet8", MNIST, 10, seed),
        lambda seed: build_generator("dfad", MNIST, 10, seed, width=8),
    ],
    ids=["classifier", "generator"],
)
def test_weights_depend_on_the_seed_alone_and_draw_from_no_generator_of_the_process(build):
    torch.manual_seed(1)
    before = torch.get_rng_state(), random.getstate()
    first = weights(build(3))
    assert torch.equal(torch.get_rng_state(), before[0]) and random.getstate() == before[1]
    torch.manual_seed(2)
    assert torch.equal(weights(build(3)), first)
    assert not torch.equal(weights(build(4)), first)


def described(layer):
    weight = getattr(layer, "weight", None)
    name = type(layer).__name__.removeprefix("Global")
    return name if weight is None else f"{name} {list(weight.shape)}"


def test_the_generator_of_dfad_has_the_published_layers():
    generator = build_generator("dfad", MNIST, 100, seed=0)
    layers = [described(layer) for layer in generator.layers]
    assert layers == [
        "Linear [6272, 100]",
        "Unflatten",
        "BatchNorm2d [128]",
        "Upsample",
        "Conv2d [128, 128, 3, 3]",
        "BatchNorm2d [128]",
        "LeakyReLU",
        "Upsample",
        "Conv2d [64, 128, 3, 3]",
        "BatchNorm2d [64]",
        "LeakyReLU",
        "Conv2d [1, 64, 3, 3]",
        "Tanh",
        "BatchNorm2d",
    ]
    assert [layer.negative_slope for layer in generator.layers if isinstance(layer, nn.LeakyReLU)] == [0.2, 0.2]


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (3, 8, 20)])
def test_the_generator_of_dfad_makes_images_of_any_size_divisible_by_4_with_mean_0_and_variance_1(shape):
    generator = build_generator("dfad", ImageShape(*shape), 5, seed=0, width=8)
    images = generator(torch.randn(16, 5))
    assert images.shape == (16, *shape)
    assert torch.allclose(images.mean((0, 2, 3)), torch.zeros(shape[0]), atol=1e-4)
    assert torch.allclose(images.var((0, 2, 3)), torch.ones(shape[0]), atol=1e-2)


def test_the_generator_of_dfad_refuses_other_sizes_in_one_line():
    with pytest.raises(InputError, match="multiples of 4, not 30 x 32; choose"):
        build_generator("dfad", ImageShape(1, 30, 32), 5, seed=0)


def test_the_generator_of_the_toy_stays_within_its_scale_and_reaches_far_into_it():
    generator = build_generator("mlp", PLANE, 4, seed=0, width=16, scale=3.0)
    points = generator(100.0 * torch.randn(256, 4)).detach()
    assert points.shape == (256, *PLANE)
    assert 2.0 < float(points.abs().max()) <= 3.0


def test_an_unknown_name_is_told_the_nearest():
    with pytest.raises(InputError, match="there is no classifier 'resnet81'; did you mean resnet8"):
        build_classifier("resnet81", CIFAR, 10, seed=0)
    with pytest.raises(
        InputError, match="there is no generator 'xyz'; known are dfad, mlp; your own is named by module"
    ):
        build_generator("xyz", CIFAR, 10, seed=0)
    require_known("classifier", "mine:network", CLASSIFIERS)


USERS_OWN = """
import torch

def network(channels, height, width, classes):
    inputs = channels * height * width
    return torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Flatten(), torch.nn.Linear(inputs, classes))

def generator(latent, channels, height, width):
    shape = (channels, height, width)
    return torch.nn.Sequential(torch.nn.Linear(latent, channels * height * width), torch.nn.Unflatten(1, shape))

def normalised(channels, height, width, classes):
    return torch.nn.Sequential(
        torch.nn.BatchNorm2d(channels), torch.nn.Flatten(), torch.nn.Linear(channels * height * width, classes),
        torch.nn.BatchNorm1d(classes, affine=False),
    )

def wrong_shape(channels, height, width, classes):
    return torch.nn.Flatten()

def no_network(channels, height, width, classes):
    return "network"

def other_arguments(shape):
    return torch.nn.Flatten()
"""


@pytest.fixture
def users_own(tmp_path, monkeypatch):
    (tmp_path / "users_own_networks.py").write_text(USERS_OWN)
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("users_own")
def test_a_users_own_networks_are_built_by_import_path_with_weights_of_the_seed():
    network = build_classifier("users_own_networks:network", MNIST, 4, seed=3)
    assert network(torch.randn(5, *MNIST)).shape == (5, 4)
    assert all(module.training for module in network.modules())
    assert torch.equal(weights(build_classifier("users_own_networks:network", MNIST, 4, seed=3)), weights(network))
    assert not torch.equal(weights(build_classifier("users_own_networks:network", MNIST, 4, seed=4)), weights(network))
    assert taps_of(network) == ()
    assert build_generator("users_own_networks:generator", MNIST, 6, seed=0)(torch.randn(2, 6)).shape == (2, *MNIST)


@pytest.mark.usefixtures("users_own")
def test_batch_normalisation_in_a_users_own_network_is_of_the_global_batch_and_else_as_it_was():
    network = build_classifier("users_own_networks:normalised", MNIST, 4, seed=0)
    assert isinstance(network[0], GlobalBatchNorm2d) and isinstance(network[3], GlobalBatchNorm1d)
    theirs = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(784, 4), nn.BatchNorm1d(4, affine=False))
    theirs.load_state_dict(network.state_dict())
    images = 3.0 + torch.randn(5, *MNIST)
    assert torch.equal(network(images), theirs(images))
    assert torch.equal(network[0].running_mean, theirs[0].running_mean)
    assert float(network[0].running_mean) == pytest.approx(0.3, abs=0.05)


@pytest.mark.usefixtures("users_own")
@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("no_such_module:network", "no function of 4 numbers can be imported by that path (No module named"),
        ("users_own_networks:missing", "no function of 4 numbers can be imported by that path (module"),
        ("users_own_networks:other_arguments", "no function of 4 numbers can be imported by that path (too many"),
        ("users_own_networks:no_network", "returned no torch.nn.Module but str; let it return one"),
        ("users_own_networks:wrong_shape", "maps (2, 1, 28, 28) to (2, 784) where (2, 4) is needed; let"),
    ],
)
def test_what_is_wrong_with_a_users_own_network_is_said_in_one_line(path, line):
    with pytest.raises(InputError, match=re.escape(f"{path}: {line}")):
        build_classifier(path, MNIST, 4, seed=0)
