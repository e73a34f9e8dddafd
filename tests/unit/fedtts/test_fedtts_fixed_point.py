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


def exactly(values, weights, bits):
    """The sum, in Python's own integers."""
    total = [0] * values[0].size
    for value, weight in zip(values, weights, strict=True):
        for place, each in enumerate(value.reshape(-1).tolist()):
            # A float times a power of two is exact, and round() rounds ties to even.
            total[place] += round(each * 2.0**bits) * weight
    return total


@pytest.mark.parametrize("size", [1, 7, (1 << 15) - 1, 1 << 15, (1 << 15) + 1])
@pytest.mark.parametrize("weights", [[1, 1, 1], [1, 0, 70_000], [3, 2, 1]])
def test_several_at_once_are_the_exact_sum_whatever_the_block(size, weights):
    generator = np.random.default_rng(size)
    values = [generator.normal(size=size).astype(np.float32) for _ in weights]
    # Halves of the last digit, to both sides and below the smallest normal number.
    values[0][: 2 * 3 : 3] = np.float32(-1.5 * 2.0**-20)
    values[1][:1] = np.float32(2.0**-149)
    total = FixedSum(20)
    for value, weight in zip(values, weights, strict=True):
        total.add_all({"a": value}, weight, sum(weights))
    assert total.sums["a"].tolist() == exactly(values, weights, 20)


@pytest.mark.parametrize("magnitude", [2.0**30, 2.0**31, 2.0**33, 2.0**40, 2.0**41])
def test_sums_on_both_sides_of_what_float64_holds_exactly_are_exact(magnitude):
    # 20 fraction bits: sums from 2^50 up, the first of them by way of float64, the others by way of int64.
    generator = np.random.default_rng(0)
    values = [(magnitude * generator.uniform(-0.5, 0.5, 1001)).astype(np.float32) for _ in range(2)]
    values[0][0] = values[1][0] = 0.5 * magnitude
    values[0][1] = values[1][1] = -0.5 * magnitude
    small = generator.normal(size=1001).astype(np.float32)
    for weights in ([1, 1, 1], [1, 0, 3]):
        total = FixedSum(20)
        for value, weight in zip([*values, small], weights, strict=True):
            total.add_all({"a": value}, weight, sum(weights))
        assert total.sums["a"].tolist() == exactly([*values, small], weights, 20)


@pytest.mark.parametrize("below", [0, 1])
def test_the_last_sum_by_way_of_float64_and_the_first_by_way_of_int64_are_exact(below):
    # The sum of both is 2^51, or one less; and as much below zero.
    values = np.array([2.0**24 - 1, 1 - 2.0**24], np.float32), np.array([1.0, -1.0], np.float32)
    weights = 2**27, 2**27 - below
    total = FixedSum(0)
    for value, weight in zip(values, weights, strict=True):
        total.add_all({"a": value}, weight, sum(weights))
    assert total.sums["a"].tolist() == [2**51 - below, below - 2**51]


def test_reading_between_and_waiting_for_more_change_nothing():
    for seed in range(5):
        values, weights = contributions(seed, clients=9)
        together, one_by_one, mixed = FixedSum(30), FixedSum(30), FixedSum(30)
        for number, (value, weight) in enumerate(zip(values, weights, strict=True)):
            for total in (together, one_by_one, mixed):
                total.add_all({"a": value, "b": -value[0]}, weight, sum(weights))
            one_by_one.settle()
            if number % 4 == 2:
                assert mixed.sums["a"].tolist() == one_by_one.sums["a"].tolist()
        for name in ("a", "b"):
            assert together.sums[name].tolist() == one_by_one.sums[name].tolist() == mixed.sums[name].tolist()


def test_answers_that_are_large_wait_in_pairs_and_small_ones_in_numbers():
    def waiting(values, answers):
        total = FixedSum(30)
        for _ in range(answers):
            total.add_all({"a": np.ones(values, np.float32)}, 1, answers)
        return len(total._waiting.get("a", ()))

    assert [waiting(1 << 24, answers) for answers in (1, 2, 3)] == [1, 0, 1]
    assert waiting(100, 1000) == 1000


def test_integers_are_added_to_what_waits_and_what_waits_to_integers():
    total = FixedSum(8)
    total.add_all({"a": np.ones(2, np.float32)}, 1, 4)
    total.add("a", np.array([1, 2], np.int64), 1)
    total.add_all({"a": np.ones(2, np.float32)}, 2, 4)
    assert total.sums["a"].tolist() == [769, 770]
    assert total.weights == {"a": 4}


def test_what_waits_already_has_its_name_weight_and_shape():
    total = FixedSum(8)
    total.add_all({"a": np.ones((2, 3), np.float32)}, 2, 4)
    assert "a" in total and list(total) == ["a"] and total.weights == {"a": 2}
    for wrong in (lambda: total.add_all({"a": np.ones(6, np.float32)}, 1, 4), lambda: total.add("a", np.ones(6), 1)):
        with pytest.raises(WorkError, match=r"a: shape \(6,\) cannot be added to \(2, 3\)"):
            wrong()
    assert total.sums["a"].tolist() == [[512] * 3] * 2


def test_an_answer_that_is_refused_leaves_those_that_wait_as_they_were():
    total = FixedSum(8)
    total.add_all({"a": np.ones(2, np.float32), "b": np.ones(1, np.float32)}, 1, 4)
    with pytest.raises(WorkError, match="b: holds values that are not finite"):
        total.add_all({"a": np.ones(2, np.float32), "b": np.array([np.nan], np.float32)}, 1, 4)
    assert (total.sums["a"].tolist(), total.sums["b"].tolist()) == ([256, 256], [256])
    assert total.weights == {"a": 1, "b": 1}


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
