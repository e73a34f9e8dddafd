import math
from random import Random

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from chorale.experiments.autovector.architecture import architecture
from chorale.experiments.autovector.genome import draw
from chorale.experiments.autovector.losses import AdditiveAngularMargin
from chorale.experiments.autovector.macs import mac_count, parameter_count
from chorale.experiments.autovector.network import AttentiveStatisticsPooling, SpeakerNetwork, StatisticsPooling
from chorale.experiments.autovector.space import SpaceConfig

pytestmark = pytest.mark.unit
SPACE = SpaceConfig()
SMALL = SpaceConfig(width_multiplier=0.125)


def test_the_cost_of_the_xvector_equals_a_count_by_hand():
    network = architecture(SPACE.xvector(), SPACE, n_features=30)
    weights = 5 * 30 * 512 + 2 * (3 * 512 * 512) + 512 * 512 + 512 * 1500
    assert mac_count(network, frames=200) == 200 * weights + 3000 * 512
    channels = 4 * 512 + 1500
    assert parameter_count(network) == weights + 3 * channels + 3000 * 512 + 512


@pytest.mark.parametrize("seed", range(12))
def test_costs_equal_what_torch_counts_on_the_network_itself(seed):
    sizes = architecture(draw(SMALL, Random(seed)), SMALL, n_features=30)
    network = SpeakerNetwork(sizes).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 117, 30))
    assert counter.get_total_flops() == 2 * mac_count(sizes, frames=117)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameter_count(sizes)


@pytest.mark.parametrize("seed", range(12))
def test_every_genome_makes_a_network_that_takes_short_utterances_and_has_finite_gradients(seed):
    sizes = architecture(draw(SMALL, Random(seed)), SMALL, n_features=30)
    network = SpeakerNetwork(sizes)
    embeddings = network(torch.zeros(2, 7, 30))
    embeddings.square().sum().backward()
    assert embeddings.shape == (2, sizes.embedding)
    assert all(torch.isfinite(parameter.grad).all() for parameter in network.parameters())


def test_every_active_part_of_a_network_is_trained():
    genome = {**SMALL.xvector(), "pooling": "attentive-statistics", "layer1.skip": True, "layer4.skip": True}
    network = SpeakerNetwork(architecture(genome, SMALL, n_features=30))
    network(torch.randn(4, 60, 30)).square().sum().backward()
    # A softmax over time does not see the constant k of equation 3.
    assert [name for name, p in network.named_parameters() if not p.grad.abs().max() > 1e-9] in (
        [],
        ["pooling.energy.bias"],
    )


def test_statistics_pooling_gives_mean_and_standard_deviation():
    frames = torch.tensor([[[1.0, 3.0], [2.0, 2.0]]])
    assert torch.allclose(StatisticsPooling()(frames), torch.tensor([[2.0, 2.0, 1.0, 0.001]]), atol=1e-6)


def test_attentive_statistics_with_equal_attention_are_plain_statistics():
    frames = torch.randn(3, 6, 20)
    pooling = AttentiveStatisticsPooling(6, 4)
    torch.nn.init.zeros_(pooling.energy.weight)
    assert torch.allclose(pooling(frames), StatisticsPooling()(frames), atol=1e-6)


def test_attentive_statistics_weigh_frames_by_their_energy():
    pooling = AttentiveStatisticsPooling(1, 1)
    with torch.no_grad():
        for parameter, value in zip(pooling.parameters(), (1.0, 0.0, math.log(3.0), 0.0), strict=True):
            parameter.fill_(value)
    # Energies 0 and log 3, so weights 1/4 and 3/4 on the frames 0 and 1: mean 3/4, variance 3/16.
    pooled = pooling(torch.tensor([[[0.0, 1.0]]]))
    assert torch.allclose(pooled, torch.tensor([[0.75, math.sqrt(3 / 16)]]))


def test_aam_softmax_equals_a_case_worked_by_hand():
    loss = AdditiveAngularMargin(2, 2, margin=0.2, scale=30.0)
    with torch.no_grad():
        loss.weight.copy_(torch.tensor([[2.0, 0.0], [0.0, 0.5]]))
    angle = 0.6
    embedding = 7.0 * torch.tensor([[math.cos(angle), math.sin(angle)]])
    true, other = 30 * math.cos(angle + 0.2), 30 * math.sin(angle)
    expected = -math.log(math.exp(true) / (math.exp(true) + math.exp(other)))
    assert loss(embedding, torch.tensor([0])).item() == pytest.approx(expected, rel=1e-4)
    # The margin makes the task harder than the plain softmax of the same cosines.
    plain = -math.log(1 / (1 + math.exp(other - 30 * math.cos(angle))))
    assert expected > 2 * plain


def test_aam_softmax_never_rewards_an_angle_beyond_pi_minus_the_margin():
    loss = AdditiveAngularMargin(2, 2, margin=0.2, scale=1.0)
    cosines = torch.linspace(-1, 1, 2001).unsqueeze(1).expand(-1, 2)
    logits = loss.logits(cosines, torch.zeros(2001, dtype=torch.long))
    assert (logits[1:, 0] > logits[:-1, 0]).all()
    assert torch.equal(logits[:, 1], cosines[:, 1])


def test_aam_softmax_has_finite_gradients_where_the_cosine_is_one():
    loss = AdditiveAngularMargin(2, 2, margin=0.2, scale=30.0)
    embeddings = loss.weight.detach().clone().requires_grad_()
    loss(embeddings, torch.tensor([0, 1])).backward()
    assert torch.isfinite(embeddings.grad).all()
    assert torch.isfinite(loss.weight.grad).all()
