"""Claims about numbers that depend on key, sample and place alone."""

from __future__ import annotations

import pytest
import torch
from scipy import stats

from chorale.training.keyed import normal

pytestmark = pytest.mark.unit
_CPU = torch.device("cpu")


def test_normal_numbers_are_standard_normal() -> None:
    drawn = normal(5, 0, torch.Size((200, 100)), _CPU)
    assert stats.kstest(drawn.flatten().numpy(), "norm").pvalue > 0.01
    assert torch.isfinite(drawn).all()
    # Neither neighbouring samples nor neighbouring places go together.
    assert abs(float(torch.corrcoef(drawn[:2])[0, 1])) < 0.3
    assert abs(float(torch.corrcoef(drawn.T[:2])[0, 1])) < 0.3


def test_a_sample_has_its_numbers_wherever_its_batch_begins() -> None:
    whole = normal(5, 0, torch.Size((8, 3, 2)), _CPU)
    torch.testing.assert_close(normal(5, 6, torch.Size((2, 3, 2)), _CPU), whole[6:], rtol=0, atol=0)
    assert not torch.equal(whole, normal(6, 0, torch.Size((8, 3, 2)), _CPU))
