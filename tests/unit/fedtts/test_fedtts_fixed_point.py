"""Fixed-point sums: the same bits in any order and grouping, and no silent overflow."""

import itertools

import numpy as np
import pytest

from chorale.core.errors import WorkError
from chorale.experiments.fedtts.federation.fixed_point import FixedSum, to_fixed

pytestmark = pytest.mark.unit


def contributions(seed, clients=7):
    generator = np.random.default_rng(seed)
    values = [
        (generator.normal(size=(3, 11)) * 10.0 ** generator.integers(-6, 2)).astype(np.float32) for _ in range(clients)
    ]
    return values, [int(weight) for weight in generator.integers(1, 100_000, clients)]


def test_by_hand():
    value = np.array([0.5, -0.25, 0.125, 0.375, 3.0, -0.0], np.float32)
    # 2 fraction bits: a half is 2 quarters; ties of 0.5 and 1.5 quarters go to the even.
    assert to_fixed(value, 3, 2, 10).tolist() == [6, -3, 0, 6, 36, 0]


def test_every_order_of_adding_gives_the_same_bits():
    values, weights = contributions(0, clients=5)
    means = set()
    for order in itertools.permutations(range(5)):
        total = FixedSum(30)
        for client in order:
            total.add_all({"a": values[client]}, weights[client], sum(weights))
        means.add(total.mean("a").tobytes())
    assert len(means) == 1


def test_every_grouping_gives_the_same_bits():
    for seed in range(30):
        values, weights = contributions(seed)
        generator = np.random.default_rng(seed)
        means = set()
        for groups in range(1, 6):
            sums = [FixedSum(30) for _ in range(groups)]
            for client in generator.permutation(len(values)):
                chosen = sums[generator.integers(groups)]
                chosen.add_all({"a": values[client]}, weights[client], sum(weights))
            total = FixedSum(30)
            for part in generator.permutation(groups):
                total.merge(sums[part])
            means.add(total.mean("a").tobytes())
            assert total.weights["a"] == sum(weights)
        assert len(means) == 1


def test_adding_floats_instead_would_depend_on_the_order():
    values, weights = contributions(0)
    scaled = [weight * value for value, weight in zip(values, weights, strict=True)]
    forwards, backwards = sum(scaled), sum(reversed(scaled))
    assert np.asarray(forwards).tobytes() != np.asarray(backwards).tobytes()


def test_the_mean_is_within_half_a_step_of_the_exact_one():
    for seed in range(20):
        values, weights = contributions(seed)
        for bits in (8, 20, 30):
            total = FixedSum(bits)
            for value, weight in zip(values, weights, strict=True):
                total.add_all({"a": value}, weight, sum(weights))
            exact = np.average(np.stack(values).astype(np.float64), axis=0, weights=weights)
            assert np.abs(total.mean("a") - exact).max() <= 2.0 ** -(bits + 1) * (1 + 1e-6)


def test_blocks_change_nothing():
    value = np.random.default_rng(0).normal(size=100_003).astype(np.float32)
    assert np.array_equal(to_fixed(value, 7, 24, 100), np.rint(value.astype(np.float64) * 2**24).astype(np.int64) * 7)


def test_a_scalar_and_an_empty_tensor_keep_their_shapes():
    assert to_fixed(np.float32(1.5), 2, 8, 2).shape == ()
    assert to_fixed(np.float32(1.5), 2, 8, 2) == 768
    assert to_fixed(np.zeros((0, 3), np.float32), 2, 8, 2).shape == (0, 3)


def test_a_tensor_that_is_not_contiguous_is_taken_by_its_values():
    value = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert np.array_equal(to_fixed(value.T, 1, 4, 1), to_fixed(value, 1, 4, 1).T)


def test_the_largest_value_that_fits_sums_up_without_overflow_and_the_next_is_refused():
    clients, weight, bits = 1000, 8192, 30
    total_weight = clients * weight
    bound = (2**63 - 1) // total_weight
    fits = np.nextafter(np.float32(bound / 2**bits), np.float32(0))
    too_large = np.nextafter(np.nextafter(fits, np.float32(np.inf)), np.float32(np.inf))
    total = FixedSum(bits)
    for _ in range(clients):
        total.add_all({"a": np.array([fits, -fits], np.float32)}, weight, total_weight)
    assert total.mean("a").tolist() == [pytest.approx(float(fits)), pytest.approx(-float(fits))]
    with pytest.raises(WorkError, match=r"output\.weight: .* overflows 64 bits; lower federation\.fraction_bits"):
        to_fixed(np.array([0, too_large], np.float32), weight, bits, total_weight, "output.weight")


def test_two_to_the_63_itself_is_refused_with_a_weight_of_one():
    assert to_fixed(np.array([2.0**62], np.float32), 1, 0, 1).tolist() == [2**62]
    with pytest.raises(WorkError, match="overflows"):
        to_fixed(np.array([2.0**63], np.float32), 1, 0, 1)
    with pytest.raises(WorkError, match="overflows"):
        to_fixed(np.array([-(2.0**63)], np.float32), 1, 0, 1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_by_name_and_nothing_is_added(value):
    total = FixedSum(20)
    with pytest.raises(WorkError, match="b: holds values that are not finite"):
        total.add_all({"a": np.ones(2, np.float32), "b": np.array([0, value], np.float32)}, 1, 1)
    assert list(total) == []


def test_masks_that_cancel_modulo_two_to_the_64_leave_the_sum_as_it_was():
    for seed in range(20):
        values, weights = contributions(seed, clients=6)
        generator = np.random.default_rng(seed)
        fixed = [to_fixed(v, w, 30, sum(weights)) for v, w in zip(values, weights, strict=True)]
        plain = FixedSum(30)
        masked = FixedSum(30)
        masks = generator.integers(0, 2**64 - 1, (5, *values[0].shape), np.uint64, endpoint=True)
        last = np.zeros_like(masks[0]) - masks.sum(axis=0, dtype=np.uint64)
        for number, weight, mask in zip(fixed, weights, [*masks, last], strict=True):
            plain.add("a", number.copy(), weight)
            masked.add("a", (number.view(np.uint64) + mask).view(np.int64), weight)
        assert np.array_equal(plain.sums["a"], masked.sums["a"])
        assert plain.mean("a").tobytes() == masked.mean("a").tobytes()


def test_merging_and_adding_leave_what_was_given_as_it_was():
    first, second = FixedSum(8), FixedSum(8)
    first.add_all({"a": np.ones(3, np.float32)}, 1, 4)
    second.merge(first)
    second.add_all({"a": np.ones(3, np.float32)}, 3, 4)
    assert first.sums["a"].tolist() == [256] * 3
    received = np.arange(6, dtype=np.int64)[3:]
    third = FixedSum(8)
    third.add("a", received, 1)
    third.add("a", received, 1)
    assert received.tolist() == [3, 4, 5]
    assert third.sums["a"].tolist() == [6, 8, 10]


def test_a_mean_that_nobody_contributed_to_is_refused_by_name():
    total = FixedSum(8)
    total.add_all({"a": np.ones(1, np.float32)}, 0, 4)
    for name in ("a", "b"):
        with pytest.raises(WorkError, match=f"{name}: no client has contributed"):
            total.mean(name)


def test_sums_of_other_shapes_or_scales_cannot_be_added():
    total = FixedSum(8)
    total.add("a", np.zeros(3, np.int64), 1)
    with pytest.raises(WorkError, match=r"a: shape \(4,\) cannot be added to \(3,\)"):
        total.add("a", np.zeros(4, np.int64), 1)
    with pytest.raises(WorkError, match="9 and of 8 fraction bits"):
        total.merge(FixedSum(9))
