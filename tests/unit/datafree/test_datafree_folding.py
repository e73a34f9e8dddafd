import pytest
import torch
from torch import nn

from chorale.experiments.datafree.networks.folding import folded
from chorale.experiments.datafree.networks.registry import build_classifier
from chorale.experiments.datafree.networks.shapes import ImageShape
from chorale.experiments.datafree.networks.taps import Tapped

pytestmark = pytest.mark.unit
SHAPE = ImageShape(3, 32, 32)


def settled(network):
    """Give batch normalisations statistics and an affine map that are not those they begin with."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_mean, module.bias.data):
                tensor.normal_(generator=generator)
            for tensor in (module.running_var, module.weight.data):
                tensor.uniform_(0.5, 2.0, generator=generator)
    return network.eval().requires_grad_(False)


def norms(network):
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_a_folded_network_has_no_batch_norm_left_and_says_the_same_logits_taps_and_gradients():
    # In double precision, for a ReLU's gradient jumps where rounding changes a sign.
    network = settled(build_classifier("resnet18", SHAPE, 10, seed=1)).double()
    quick = folded(network, network.taps)
    assert norms(network) == 20 and norms(quick) == 0
    said = []
    for each in (network, quick):
        images = torch.randn(4, *SHAPE, generator=torch.Generator().manual_seed(2)).double().requires_grad_()
        with Tapped(each, network.taps) as tapped:
            logits = each(images)
        logits.square().sum().backward()
        said.append([logits, *tapped.outputs, images.grad])
    for own, other in zip(*said, strict=True):
        torch.testing.assert_close(other, own, rtol=1e-9, atol=1e-9 * float(own.detach().abs().max()))


class Mine(nn.Module):
    """A convolution that is read, one that runs twice under one normalisation, and one that may be folded."""

    def __init__(self):
        super().__init__()
        self.read, self.twice, self.free = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(3))
        self.norm1, self.norm2, self.norm3 = (nn.BatchNorm2d(3) for _ in range(3))

    def forward(self, images):
        features = self.norm1(self.read(images))
        features = self.norm2(self.twice(self.twice(features)))
        return self.norm3(self.free(features)).mean((2, 3))


def test_what_is_read_or_runs_twice_stays_as_it_is():
    network = settled(Mine())
    quick = folded(network, keep=("read",))
    assert [type(each).__name__ for each in (quick.norm1, quick.norm2, quick.norm3)] == [
        "BatchNorm2d",
        "BatchNorm2d",
        "Identity",
    ]
    images = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(quick(images), network(images))


class Untraceable(nn.Module):
    def forward(self, images):
        return images if float(images.sum()) > 0 else -images


def test_a_network_that_cannot_be_traced_is_left_alone():
    network = Untraceable().eval()
    assert folded(network) is network
