"""Codecs: round trips within the stated bounds, for many seeds and awkward values."""

import struct

import numpy as np
import pytest

from chorale.core.errors import WorkError
from chorale.experiments.fedtts.config.federation import CodecConfig
from chorale.experiments.fedtts.federation.codecs import (
    EncodedTensor,
    decode,
    decode_integers,
    encode,
    encode_integers,
)
from chorale.experiments.fedtts.federation.feedback import ErrorFeedback

pytestmark = pytest.mark.unit

KINDS = ("none", "fp16", "bf16", "int8", "top-k")
SHAPES = ((), (1,), (7,), (3, 5), (1, 4), (4, 1), (2, 3, 4), (0, 3), (3, 0), (0,))
LARGEST = np.finfo(np.float32).max


def drawn(shape, seed):
    """Return values of many magnitudes, zeros and ties among them."""
    generator = np.random.default_rng((seed, *shape))
    scale = 10.0 ** generator.integers(-12, 4)
    values = generator.standard_normal(shape) * scale * 10.0 ** generator.integers(-3, 1, size=shape)
    values = np.where(generator.random(shape) < 0.2, 0.0, values)
    return np.where(generator.random(shape) < 0.2, scale, values).astype(np.float32)


def there_and_back(values, **codec):
    return decode(encode({"a": values}, CodecConfig(**codec)))["a"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lossless", [False, True])
def test_every_shape_comes_back_as_float32_of_that_shape_and_twice_alike(kind, lossless):
    for shape in SHAPES:
        values = drawn(shape, 0)
        back = there_and_back(values, kind=kind, lossless=lossless)
        assert (back.shape, back.dtype) == (shape, np.float32)
        assert back.tobytes() == there_and_back(values, kind=kind, lossless=lossless).tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_zstd_on_top_changes_no_bit_and_is_never_longer(kind):
    for seed in range(10):
        values = np.round(drawn((40, 30), seed), 2)
        plain = encode({"a": values}, CodecConfig(kind=kind))
        packed = encode({"a": values}, CodecConfig(kind=kind, lossless=True))
        assert decode(packed)["a"].tobytes() == decode(plain)["a"].tobytes()
        assert packed["a"].payload_bytes <= plain["a"].payload_bytes


def test_zstd_shortens_what_repeats_and_leaves_alone_what_it_cannot_shorten():
    codec = CodecConfig(lossless=True)
    assert encode({"a": np.zeros((100, 100), np.float32)}, codec)["a"].payload_bytes < 100
    noise = np.random.default_rng(0).integers(0, 255, 4000, np.uint8).view(np.float32)
    noise = np.where(np.isfinite(noise), noise, 1).astype(np.float32)
    assert encode({"a": noise}, codec)["a"].kind == "none"


def test_no_codec_gives_every_bit_back():
    for seed in range(20):
        values = drawn((6, 11), seed)
        assert there_and_back(values).tobytes() == values.tobytes()
    edges = np.array([-0.0, 1e-45, LARGEST, -LARGEST], np.float32)
    assert there_and_back(edges).tobytes() == edges.tobytes()


def test_no_codec_copies_nothing():
    values = drawn((6, 11), 0)
    encoded = encode({"a": values}, CodecConfig())
    assert np.shares_memory(encoded["a"].parts[0], values)
    assert np.shares_memory(decode(encoded)["a"], values)


def test_a_tensor_that_is_not_contiguous_is_sent_by_its_values():
    values = drawn((6, 11), 0)
    for kind in KINDS:
        back = there_and_back(values.T, kind=kind, share=1.0)
        assert np.array_equal(back, there_and_back(values.T.copy(), kind=kind, share=1.0))


def test_half_precision_is_within_its_bound():
    for seed in range(50):
        values = drawn((5, 40), seed)
        error = np.abs(there_and_back(values, kind="fp16").astype(np.float64) - values)
        assert (error <= np.maximum(2.0**-11 * np.abs(values.astype(np.float64)), 2.0**-25)).all()


def test_half_precision_holds_what_is_too_large_at_the_largest_finite():
    values = np.array([65504, 65519, 65520, 1e6, LARGEST, -LARGEST], np.float32)
    assert there_and_back(values, kind="fp16").tolist() == [65504.0] * 5 + [-65504.0]


def bf16_by_hand(value):
    """Round one float32 to bfloat16 in exact rational arithmetic: nearest, ties to even."""
    from fractions import Fraction

    (bits,) = struct.unpack("<I", struct.pack("<f", value))
    low = bits & 0xFFFF0000

    def magnitude(pattern):
        return Fraction(struct.unpack("<f", struct.pack("<I", pattern & 0x7FFFFFFF))[0])

    if (low + 0x10000) & 0x7F800000 == 0x7F800000:
        return struct.unpack("<f", struct.pack("<I", low))[0]
    below = magnitude(bits) - magnitude(low)
    above = magnitude(low + 0x10000) - magnitude(bits)
    up = above < below or (above == below and (low >> 16) & 1)
    return struct.unpack("<f", struct.pack("<I", low + 0x10000 if up else low))[0]


def test_bfloat16_equals_exact_rounding_to_nearest_even():
    generator = np.random.default_rng(0)
    patterns = generator.integers(0, 1 << 32, 3000, np.uint32)
    ties = (patterns[:500] & np.uint32(0xFFFF0000)) | np.uint32(0x8000)
    values = np.concatenate([patterns, ties]).view(np.float32)
    values = values[np.isfinite(values)]
    assert there_and_back(values, kind="bf16").tolist() == [bf16_by_hand(float(value)) for value in values]


def test_bfloat16_makes_nothing_infinite():
    assert there_and_back(np.array([LARGEST, -LARGEST], np.float32), kind="bf16").tolist() == [
        float.fromhex("0x1.fep127"),
        -float.fromhex("0x1.fep127"),
    ]


def test_int8_is_within_half_a_step_of_its_channel():
    for seed in range(50):
        values = drawn((6, 30), seed)
        error = np.abs(there_and_back(values, kind="int8").astype(np.float64) - values).max(axis=1)
        steps = np.abs(values.astype(np.float64)).max(axis=1) / 127
        assert (error <= np.maximum(steps, 1.2e-38) / 2 * (1 + 1e-4)).all()


def test_int8_by_hand():
    values = np.array([[1.27, -0.012, 0.004], [0.0, 0.0, 0.0], [-254.0, 3.1, 2.9]], np.float32)
    expected = [[1.27, -0.01, 0.0], [0.0, 0.0, 0.0], [-254.0, 4.0, 2.0]]
    assert there_and_back(values, kind="int8") == pytest.approx(np.array(expected), rel=1e-6)


def test_int8_has_one_scale_per_output_channel_and_one_for_a_vector():
    encoded = encode({"m": drawn((6, 2, 5), 0), "v": drawn((60,), 0), "s": drawn((), 0)}, CodecConfig(kind="int8"))
    assert [[part.nbytes for part in encoded[name].parts] for name in "mvs"] == [[24, 60], [4, 60], [4, 1]]


def test_int8_keeps_its_bound_where_a_scale_would_be_subnormal():
    values = np.array([[1e-40, -3e-41, 2e-42], [LARGEST, -LARGEST, 1.0]], np.float32)
    back = there_and_back(values, kind="int8")
    assert np.isfinite(back).all()
    assert np.abs(back[0] - values[0]).max() <= np.finfo(np.float32).tiny / 2
    assert back[1] == pytest.approx(values[1], rel=1e-6, abs=1e36)


def test_top_k_keeps_the_largest_and_of_equals_the_first():
    values = np.array([1, -3, 2, 3, -2, 2, 0, 0, 0, 0], np.float32)
    assert there_and_back(values, kind="top-k", share=0.3).tolist() == [0, -3, 2, 3, 0, 0, 0, 0, 0, 0]
    assert there_and_back(values, kind="top-k", share=0.4).tolist() == [0, -3, 2, 3, -2, 0, 0, 0, 0, 0]


def test_top_k_equals_a_stable_sort_by_magnitude():
    for seed in range(50):
        values = drawn((9, 13), seed)
        share = float(np.random.default_rng(seed).uniform(0.01, 1.0))
        kept = max(1, round(share * values.size))
        first = np.argsort(-np.abs(values.reshape(-1)), kind="stable")[:kept]
        expected = np.zeros(values.size, np.float32)
        expected[first] = values.reshape(-1)[first]
        encoded = encode({"a": values}, CodecConfig(kind="top-k", share=share))
        assert np.array_equal(decode(encoded)["a"].reshape(-1), expected)
        assert encoded["a"].payload_bytes == 8 * kept


def test_top_k_leaves_out_at_most_its_share_of_the_squared_norm():
    for seed in range(50):
        values = drawn((200,), seed).astype(np.float64)
        back = there_and_back(values.astype(np.float32), kind="top-k", share=0.25)
        assert np.sum((values - back) ** 2) <= 0.75 * np.sum(values**2) * (1 + 1e-6)


def test_top_k_sends_at_least_one_value():
    assert there_and_back(np.array([1, 2, 3], np.float32), kind="top-k", share=0.01).tolist() == [0, 0, 3]


@pytest.mark.parametrize("indices", [[2, 1], [1, 1], [1, 4]])
def test_top_k_indices_out_of_order_or_place_are_refused_by_name(indices):
    parts = (np.array(indices, np.uint32).view(np.uint8), np.ones(2, np.float32).view(np.uint8))
    with pytest.raises(WorkError, match="a: indices are out of order"):
        decode({"a": EncodedTensor("top-k", (4,), parts)})


@pytest.mark.parametrize("kind", ["fp16", "bf16", "int8", "top-k"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_lossy_codec_refuses_what_is_not_finite_by_name(kind, value):
    with pytest.raises(WorkError, match="b: holds values that are not finite"):
        encode({"a": np.ones(3, np.float32), "b": np.array([[1, value]], np.float32)}, CodecConfig(kind=kind))


def test_large_finite_values_whose_squares_overflow_are_not_refused():
    values = np.full(10, LARGEST, np.float32)
    assert np.array_equal(there_and_back(values), values)


def test_a_damaged_or_lying_compressed_tensor_is_refused_by_name():
    encoded = encode({"a": np.zeros((100, 100), np.float32)}, CodecConfig(lossless=True))["a"]
    damaged = encoded.parts[0].copy()
    damaged[-6:] ^= 0x55
    for shape, part in (((100, 100), damaged), ((100, 99), encoded.parts[0]), ((100, 100), encoded.parts[0][:8])):
        with pytest.raises(WorkError, match=r"^a: "):
            decode({"a": EncodedTensor("none+zstd", shape, (part,))})


def test_integers_come_back_exactly_whether_signed_or_not():
    generator = np.random.default_rng(0)
    words = generator.integers(0, 2**64 - 1, (5, 7), np.uint64)
    signed = generator.integers(-(2**63), 2**63 - 1, (3,), np.int64)
    for lossless in (False, True):
        back = decode_integers(encode_integers({"w": words, "s": signed, "z": np.zeros(99, np.int64)}, lossless))
        assert np.array_equal(back["w"].view(np.uint64), words)
        assert np.array_equal(back["s"], signed)
        assert not back["z"].any()


def test_integers_and_values_are_not_taken_for_each_other():
    with pytest.raises(WorkError, match="a: integers came"):
        decode(encode_integers({"a": np.zeros(2, np.int64)}))
    with pytest.raises(WorkError, match="a: none came"):
        decode_integers(encode({"a": np.zeros(2, np.float32)}, CodecConfig()))
    with pytest.raises(WorkError, match="a: int32"):
        encode_integers({"a": np.zeros(2, np.int32)})


@pytest.mark.parametrize("kind", ["fp16", "bf16", "int8", "top-k"])
def test_with_error_feedback_all_that_was_sent_and_the_memory_add_up_to_all_updates(kind):
    feedback, codec = ErrorFeedback(), CodecConfig(kind=kind, share=0.1)
    sent, wanted = np.zeros((8, 9)), np.zeros((8, 9))
    for seed in range(30):
        update = np.random.default_rng(seed).normal(size=(8, 9)).astype(np.float32)
        encoded, decoded = feedback.encode({"a": update}, codec)
        assert np.array_equal(decode(encoded)["a"], decoded["a"])
        sent += decoded["a"]
        wanted += update
    assert sent + feedback.residuals["a"] == pytest.approx(wanted, abs=1e-4)
    assert feedback.residuals["a"].dtype == np.float32


def test_without_error_feedback_top_k_never_sends_what_is_always_small():
    update = {"a": np.array([1.0, 0.4], np.float32)}
    sums = {}
    for remembers in (True, False):
        feedback, codec = ErrorFeedback(), CodecConfig(kind="top-k", share=0.5, error_feedback=remembers)
        sums[remembers] = sum(feedback.encode(update, codec)[1]["a"] for _ in range(10))
    assert sums[False].tolist() == [10.0, 0.0]
    assert sums[True][1] > 2.0


def test_a_parameter_that_is_not_updated_keeps_its_memory():
    feedback, codec = ErrorFeedback(), CodecConfig(kind="top-k", share=0.5)
    feedback.encode({"a": np.array([1.0, 0.5], np.float32)}, codec)
    feedback.encode({"b": np.array([1.0, 0.5], np.float32)}, codec)
    assert feedback.residuals["a"].tolist() == [0.0, 0.5]


def test_without_a_lossy_codec_nothing_is_remembered():
    feedback = ErrorFeedback()
    feedback.encode({"a": np.ones(3, np.float32)}, CodecConfig())
    assert feedback.residuals == {}
