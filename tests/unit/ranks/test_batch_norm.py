"""Batch normalisation over ranks is torch's own in one process; with several, tests/distributed compares them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from chorale.ranks.batch_norm import GlobalBatchNorm1d, GlobalBatchNorm2d
from chorale.ranks.reduce import add_over_ranks, sum_over_ranks, training_ranks

pytestmark = pytest.mark.unit

KINDS = [
    (GlobalBatchNorm1d, nn.BatchNorm1d, (6, 4)),
    (GlobalBatchNorm1d, nn.BatchNorm1d, (6, 4, 5)),
    (GlobalBatchNorm2d, nn.BatchNorm2d, (6, 4, 3, 5)),
]


def passed(norm: nn.Module, features: Tensor) -> list[Tensor]:
    """What a training step, and then an evaluation, gives: outputs, gradient and state."""
    inputs = features.clone().requires_grad_()
    outputs = norm.train()(inputs)
    (outputs * torch.arange(outputs.numel()).view_as(outputs)).sum().backward()
    assert inputs.grad is not None
    return [outputs, inputs.grad, *norm.state_dict().values(), norm.eval()(features)]


@pytest.mark.parametrize(("ours", "torchs", "shape"), KINDS)
@pytest.mark.parametrize("affine", [True, False])
def test_in_one_process_it_is_torchs_own_bit_for_bit(ours, torchs, shape, affine) -> None:
    features = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    pairs = zip(passed(ours(4, affine=affine), features), passed(torchs(4, affine=affine), features), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_a_network_with_it_takes_the_weights_of_one_with_torchs() -> None:
    GlobalBatchNorm2d(4).load_state_dict(nn.BatchNorm2d(4).state_dict())


@pytest.mark.parametrize(("ours", "shape"), [(GlobalBatchNorm1d, (6, 4, 3, 5)), (GlobalBatchNorm2d, (6, 4, 5))])
def test_features_of_the_other_kind_are_refused(ours, shape) -> None:
    with pytest.raises(ValueError, match="input"):
        ours(4)(torch.zeros(shape))


def test_in_one_process_a_sum_over_ranks_is_the_value_itself_and_so_is_its_gradient() -> None:
    value = torch.tensor([1.0, 2.0], requires_grad=True)
    total = sum_over_ranks(value)
    (total * torch.tensor([3.0, 5.0])).sum().backward()
    assert training_ranks() == 1
    assert total.tolist() == [1.0, 2.0]
    assert value.grad is not None
    assert value.grad.tolist() == [3.0, 5.0]
    alone = torch.tensor([7.0])
    add_over_ranks(alone)
    assert alone.tolist() == [7.0]
