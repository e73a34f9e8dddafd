"""Messages: what is packed comes back without a copy, every byte has an owner, and nothing damaged is believed."""

import json
import struct
import zlib

import numpy as np
import pytest

from chorale.core.errors import WorkError
from chorale.experiments.fedtts.config.federation import CodecConfig
from chorale.experiments.fedtts.federation.codecs import EncodedTensor, decode, encode
from chorale.experiments.fedtts.federation.message import HEADER, bytes_by_group, pack, pack_parts, unpack

pytestmark = pytest.mark.unit

SHAPES = {"encoder.layers.0.weight": (5, 3), "encoder.layers.0.bias": (5,), "output.weight": (2, 2, 3), "scale": ()}
FACTS = {"round": 3, "clients": [1, 5], "rate": 0.1, "name": "ä"}


def tensors(seed=0):
    generator = np.random.default_rng(seed)
    return {name: generator.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}


def message(**codec):
    return pack("update", FACTS, encode(tensors(), CodecConfig(**codec)))


def resealed(buffer, change):
    """Return a message with another header whose lengths and checksum are right."""
    magic, version, kind, length, _, payload = struct.unpack("<4sH2x16sIIQ", buffer[:40].tobytes())
    header = json.loads(buffer[40 : 40 + length].tobytes())
    change(header)
    text = json.dumps(header).encode()
    text = text.ljust(-(-len(text) // 8) * 8)
    blank = struct.pack("<4sH2x16sIIQ", magic, version, kind, len(text), 0, payload)
    prefix = struct.pack("<4sH2x16sIIQ", magic, version, kind, len(text), zlib.crc32(blank + text), payload)
    return np.frombuffer(prefix + text + buffer[40 + length :].tobytes(), np.uint8)


@pytest.mark.parametrize("kind", ["none", "fp16", "bf16", "int8", "top-k"])
@pytest.mark.parametrize("lossless", [False, True])
def test_a_message_comes_back_as_it_was_packed(kind, lossless):
    encoded = encode(tensors(), CodecConfig(kind=kind, lossless=lossless))
    received = unpack(pack("update", FACTS, encoded), "update", SHAPES)
    assert (received.kind, received.facts) == ("update", FACTS)
    assert list(received.tensors) == list(encoded)
    for name, values in decode(encoded).items():
        assert received.tensors[name].kind == encoded[name].kind
        assert decode(received.tensors)[name].tobytes() == values.tobytes()


def test_tensors_of_a_received_message_are_views_of_its_buffer():
    buffer = message()
    received = unpack(buffer, "update")
    for values in decode(received.tensors).values():
        assert np.shares_memory(values, buffer)


def test_the_parts_of_a_message_are_its_bytes_and_views_of_its_tensors():
    values = tensors()
    parts = pack_parts("update", FACTS, encode(values, CodecConfig()))
    assert b"".join(part.tobytes() for part in parts) == message().tobytes()
    for value in values.values():
        assert any(np.shares_memory(part, value) for part in parts)


def test_the_same_message_is_the_same_bytes():
    assert message().tobytes() == message().tobytes()
    assert pack("a", {"x": 1, "y": 2}, {}).tobytes() == pack("a", {"y": 2, "x": 1}, {}).tobytes()


def test_every_part_starts_at_a_multiple_of_eight_bytes():
    buffer = message(kind="int8")
    start = buffer.__array_interface__["data"][0]
    for tensor in unpack(buffer, "update").tensors.values():
        for part in tensor.parts:
            assert (part.__array_interface__["data"][0] - start) % 8 == 0


@pytest.mark.parametrize("kind", ["none", "int8", "top-k"])
def test_the_bytes_of_all_groups_add_up_to_the_buffers_length(kind):
    encoded = encode(tensors(), CodecConfig(kind=kind))
    sizes = bytes_by_group(FACTS, encoded)
    assert sum(sizes.values()) == len(pack("update", FACTS, encoded))
    assert set(sizes) == {HEADER, "encoder.layers.0", "output", "scale"}


def test_a_groups_bytes_are_its_parts_filled_up_to_eight():
    sizes = bytes_by_group({}, encode(tensors(), CodecConfig()))
    # 15 values in 60 bytes become 64, 5 in 20 become 24; 12 in 48 stay; a scalar's 4 become 8.
    assert (sizes["encoder.layers.0"], sizes["output"], sizes["scale"]) == (64 + 24, 48, 8)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda m: m[:20], "truncated, 20 bytes"),
        (lambda m: m[:-8], "truncated or too long"),
        (lambda m: np.concatenate([m, m[:8]]), "truncated or too long"),
        (lambda m: np.zeros(100, np.uint8), "update message: does not begin like one"),
    ],
)
def test_a_truncated_or_foreign_message_is_refused(damage, told):
    with pytest.raises(WorkError, match=told):
        unpack(damage(message()), "update")


def test_any_flipped_bit_of_prefix_or_header_is_refused():
    buffer = message()
    header_bytes = struct.unpack("<I", buffer[24:28].tobytes())[0]
    for place in range(40 + header_bytes):
        damaged = buffer.copy()
        damaged[place] ^= 4
        with pytest.raises(WorkError):
            unpack(damaged, "update")


def test_a_message_of_another_kind_is_refused_by_both_kinds():
    with pytest.raises(WorkError, match="model message: one of kind update came instead"):
        unpack(message(), "model")


def test_a_message_of_another_version_is_refused_with_a_remedy():
    buffer = message()
    buffer[4] = 9
    with pytest.raises(WorkError, match="of version 9; all ranks must run the same program"):
        unpack(buffer, "update")


def test_a_tensor_that_is_not_expected_is_refused_by_name():
    with pytest.raises(WorkError, match="scale: there is no such tensor here"):
        unpack(message(), "update", {name: shape for name, shape in SHAPES.items() if name != "scale"})


def test_a_tensor_of_another_shape_is_refused_by_name():
    with pytest.raises(WorkError, match=r"output.weight: shape \(2, 2, 3\) came where \(4, 3\) was expected"):
        unpack(message(), "update", {**SHAPES, "output.weight": (4, 3)})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda h: h["tensors"][0].__setitem__(1, "int4"), "encoder.layers.0.weight: 'int4' is not a kind"),
        (lambda h: h["tensors"][0].__setitem__(2, [5, 4]), "encoder.layers.0.weight: parts of .60,. bytes do not fit"),
        (lambda h: h["tensors"][0].__setitem__(2, [-5, -3]), "malformed"),
        (lambda h: h["tensors"][0].__setitem__(3, [60.0]), "malformed"),
        (lambda h: h["tensors"][0].__setitem__(3, [1 << 40]), "bytes of tensors where"),
        (lambda h: h["tensors"].__delitem__(0), "bytes of tensors where"),
        (lambda h: h["tensors"][1].__setitem__(0, "encoder.layers.0.weight"), "encoder.layers.0.weight comes twice"),
        (lambda h: h.__delitem__("facts"), "malformed"),
        (lambda h: h.__setitem__("tensors", 3), "malformed"),
    ],
)
def test_a_header_that_contradicts_itself_is_refused(change, told):
    with pytest.raises(WorkError, match=told):
        unpack(resealed(message(), change), "update")


def test_a_value_that_is_not_finite_is_refused_by_the_tensors_name():
    broken = tensors()
    broken["output.weight"][1, 0, 2] = np.nan
    received = unpack(pack("update", {}, encode(broken, CodecConfig())), "update", SHAPES)
    with pytest.raises(WorkError, match=r"output\.weight: holds values that are not finite"):
        decode(received.tensors)


def test_facts_that_are_not_finite_cannot_be_packed():
    with pytest.raises(ValueError, match="JSON"):
        pack("update", {"loss": float("nan")}, {})


def test_a_kind_that_does_not_fit_the_prefix_cannot_be_packed():
    with pytest.raises(WorkError, match="1 to 16 characters"):
        pack("x" * 17, {}, {})


def test_a_tensor_whose_parts_are_wrong_is_refused_before_it_is_decoded():
    wrong = {"a": EncodedTensor("fp16", (4,), (np.zeros(6, np.uint8),))}
    with pytest.raises(WorkError, match=r"a: parts of \(6,\) bytes do not fit fp16 of shape \(4,\)"):
        unpack(pack("update", {}, wrong), "update")
