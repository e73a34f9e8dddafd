"""Buffers that are used again: never while anybody holds them."""

from __future__ import annotations

import numpy as np
import pytest

from chorale.ranks.buffers import Buffers

pytestmark = pytest.mark.unit
SIZE = 1 << 21


def test_a_buffer_that_nobody_holds_is_used_again_and_one_that_is_held_is_not():
    buffers = Buffers()
    first = buffers.take(SIZE)
    second = buffers.take(SIZE)
    assert not np.shares_memory(first, second)
    place = first.ctypes.data
    del first
    again = buffers.take(SIZE)
    assert again.ctypes.data == place
    assert not np.shares_memory(again, second)


@pytest.mark.parametrize(
    "view",
    [
        lambda buffer: buffer[8:16],
        lambda buffer: buffer[:80].view(np.float64).reshape(2, 5)[1],
        lambda buffer: memoryview(buffer),
        lambda buffer: np.frombuffer(memoryview(buffer)[8:16], np.float32),
        lambda buffer: {"a": [buffer.view(np.int64)]},
    ],
)
def test_a_view_however_far_removed_keeps_a_buffer_from_being_used_again(view):
    buffers = Buffers()
    first = buffers.take(SIZE)
    place, held = first.ctypes.data, view(first)
    del first
    others = [buffers.take(SIZE) for _ in range(3)]
    assert place not in [other.ctypes.data for other in others]
    del held
    assert buffers.take(SIZE).ctypes.data == place


def test_what_is_held_keeps_its_values_while_buffers_come_and_go():
    buffers = Buffers()
    held = {}
    generator = np.random.default_rng(0)
    for number in range(60):
        n_bytes = int(generator.integers(1, 3 * SIZE))
        buffer = buffers.take(n_bytes)
        assert buffer.nbytes == n_bytes and buffer.flags.c_contiguous and buffer.ctypes.data % 8 == 0
        buffer[:] = number
        held[number] = buffer[n_bytes // 2 :]
        del buffer
        if len(held) > 4:
            del held[int(generator.choice(list(held)))]
        assert all((values == kept).all() for kept, values in held.items())


def test_a_buffer_of_another_size_is_let_go_once_nobody_holds_it():
    buffers = Buffers()
    small = buffers.take(SIZE)
    large = buffers.take(3 * SIZE)
    assert len(buffers._kept) == 2
    del small
    # A little shorter fits, much longer does not.
    assert not np.shares_memory(buffers.take(3 * SIZE + 1), large)
    assert [kept.nbytes for kept in buffers._kept] == [3 * SIZE, 3 * SIZE + 1]
    del large
    place = buffers._kept[0].ctypes.data
    assert buffers.take(2 * SIZE).ctypes.data == place


def test_small_ones_are_not_kept():
    buffers = Buffers()
    assert buffers.take(100).nbytes == 100
    assert buffers.take(0).nbytes == 0
    assert buffers._kept == []
