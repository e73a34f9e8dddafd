import random

import numpy as np
import pytest
import torch

from chorale.training.dropout import SampleDropout, place_samples
from chorale.training.keyed import uniform

pytestmark = pytest.mark.unit
CPU = torch.device("cpu")
WORD = (1 << 64) - 1


def splitmix64(state: int) -> int:
    """The generator's output function in plain integers, from the paper."""
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & WORD
    return state ^ (state >> 31)


def test_the_numbers_are_splitmix64_of_key_sample_and_place():
    golden, key = 0x9E3779B97F4A7C15, 1234567890123456789
    drawn = uniform(key, 5, torch.Size([2, 3]), CPU)
    for row, sample in enumerate((5, 6)):
        stream = splitmix64(splitmix64((sample * golden + key) & WORD))
        for place in range(3):
            expected = (splitmix64((stream + (place + 1) * golden) & WORD) >> 40) / 2**24
            assert float(drawn[row, place]) == expected


def test_the_numbers_are_uniform_and_independent_of_their_neighbours():
    drawn = uniform(42, 0, torch.Size([200, 500]), CPU).numpy()
    assert drawn.min() >= 0.0 and drawn.max() < 1.0
    counts, _ = np.histogram(drawn, bins=20, range=(0, 1))
    assert ((counts - 5000) ** 2 / 5000).sum() < 43.8  # chi-squared, 19 degrees of freedom, 0.1 %
    for one, other in ((drawn[:, :-1], drawn[:, 1:]), (drawn[:-1], drawn[1:])):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 4 / np.sqrt(one.size)


def test_slices_drop_what_the_whole_batch_drops():
    layer, values = SampleDropout(0.3), torch.ones(9, 4, 5)
    random.seed(1)
    whole = layer(values)
    parts = []
    for first, last in ((0, 4), (4, 9)):
        random.seed(1)
        place_samples(layer, first)
        parts.append(layer(values[first:last]))
    assert torch.equal(torch.cat(parts), whole)
    assert whole.unique().tolist() == pytest.approx([0.0, 1 / 0.7])


def test_each_call_drops_anew_and_evaluation_drops_nothing():
    layer, values = SampleDropout(0.5), torch.ones(8, 32)
    random.seed(1)
    assert not torch.equal(layer(values), layer(values))
    state = random.getstate()
    assert torch.equal(layer.eval()(values), values)
    assert torch.equal(SampleDropout(0.0)(values), values)
    assert random.getstate() == state
