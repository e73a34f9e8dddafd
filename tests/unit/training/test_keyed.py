"""Claims about numbers that depend on key, sample and place alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from chorale.training.keyed import integers_on_device, integers_on_host, normal, uniform

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


def split_mix_64(state: int) -> int:
    """Return the finaliser of SplitMix64 in Python's own integers."""
    state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    state = (state ^ (state >> 27)) * 0x94D049BB133111EB % 2**64
    return state ^ (state >> 31)


@pytest.mark.parametrize("key", [0, 5, 2**63 - 1])
@pytest.mark.parametrize("first", [0, 7, 2**40])
def test_uniform_numbers_are_the_upper_24_bits_of_split_mix_64(key: int, first: int) -> None:
    golden = 0x9E3779B97F4A7C15
    drawn = uniform(key, first, torch.Size((3, 4)), _CPU)
    for sample in range(3):
        stream = split_mix_64(split_mix_64(((first + sample) * golden + key) % 2**64))
        for place in range(4):
            bits = split_mix_64((stream + (place + 1) * golden) % 2**64)
            assert float(drawn[sample, place]) == (bits >> 40) / 2**24


def test_host_and_device_draw_the_same_integers() -> None:
    # torch computes them on a CPU as it does on a GPU.
    streams = np.random.default_rng(0).integers(0, 2**64, 50, dtype=np.uint64)
    ours, theirs = integers_on_host(streams, 30, _CPU), integers_on_device(streams, 30, _CPU)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    assert 0 <= int(ours.min()) < int(ours.max()) < 2**24


def test_normal_numbers_are_box_and_mullers_of_uniform_ones() -> None:
    pairs = uniform(5, 0, torch.Size((4, 2, 6)), _CPU).double().numpy()
    expected = np.sqrt(-2 * np.log(1 - pairs[:, 0])) * np.cos(2 * np.pi * pairs[:, 1])
    torch.testing.assert_close(normal(5, 0, torch.Size((4, 6)), _CPU).double(), torch.from_numpy(expected))
