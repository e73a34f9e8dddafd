"""Ranks under mpirun that send each other buffers: ``python channel_program.py SCENARIO``.

Each rank prints ``RESULT`` and what it found, as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from itertools import pairwise
from typing import Any

import numpy as np

from chorale.core.errors import WorkError
from chorale.experiments.fedtts.config.federation import CodecConfig
from chorale.experiments.fedtts.federation.codecs import decode, encode
from chorale.experiments.fedtts.federation.message import pack, unpack
from chorale.ranks.channel import Channel, LostRankError
from chorale.ranks.group import Group, open_group

TAG, OTHER_TAG = 3, 4
TIMEOUT_S = 1.0
SIZES = (0, 1, 7, 4096, 65_537, 131_072, 3_000_000)


def drawn(n_bytes: int, key: int) -> np.ndarray:
    return np.random.default_rng((n_bytes, key)).integers(0, 256, n_bytes, np.uint8)


def told_by(act: Any) -> dict[str, Any]:
    """Return how an act failed, and after how long."""
    started = time.monotonic()
    try:
        act()
    except LostRankError as error:
        return {"error": str(error), "ranks": list(error.ranks), "seconds": time.monotonic() - started}
    except WorkError as error:
        return {"error": str(error)}
    return {"error": None}


def round_trips(group: Group) -> dict[str, Any]:
    """Rank 0 sends to all and takes what all send back; small pieces, so that buffers are cut."""
    channel = Channel(group, 20.0, piece_bytes=65_536)
    right, order = True, set()
    others = range(1, group.size)
    for size in SIZES:
        if group.rank == 0:
            whole = {rank: drawn(size, rank) for rank in others}
            # Rank 1 is sent parts of uneven lengths, empty ones among them.
            cuts = (0, size // 7, size // 7, size // 3, size)
            parts = [whole[1][start:end] for start, end in pairwise(cuts)]
            channel.send_all({**whole, 1: parts}, TAG)
            for rank, buffer in channel.receive_from(others, TAG):
                right &= bool(np.array_equal(buffer, drawn(size, rank)[::-1]))
                right &= buffer.flags.writeable and buffer.__array_interface__["data"][0] % 8 == 0
                order.add(rank)
        else:
            buffer = channel.receive(0, TAG)
            right &= bool(np.array_equal(buffer, drawn(size, group.rank)))
            channel.beat(0)
            channel.send(0, TAG, np.ascontiguousarray(buffer[::-1]))
    counters = channel.counters()
    return {
        "right": right,
        "sent": counters.sent,
        "received": counters.received,
        "control": channel.control_bytes,
        "seconds": channel.seconds,
        "waiting_s": channel.waiting_s,
    }


def tags(group: Group) -> dict[str, Any]:
    """What has another tag is left for whoever asks for it."""
    channel = Channel(group, 20.0)
    if group.rank == 1:
        channel.send(0, TAG, drawn(10, 1))
        channel.send(0, OTHER_TAG, drawn(10, 2))
        return {}
    if group.rank == 0:
        second, first = channel.receive(1, OTHER_TAG), channel.receive(1, TAG)
        return {"right": bool(np.array_equal(first, drawn(10, 1)) and np.array_equal(second, drawn(10, 2)))}
    return {}


def silent(group: Group) -> dict[str, Any]:
    """The last rank sends nothing; the others do."""
    channel = Channel(group, TIMEOUT_S)
    last = group.size - 1
    if group.rank == 0:
        got: list[int] = []
        told = told_by(lambda: got.extend(rank for rank, _ in channel.receive_from(range(1, group.size), TAG)))
        again = told_by(lambda: channel.receive(last, TAG))
        return {**told, "got": got, "again": again}
    if group.rank == last:
        time.sleep(60)
    channel.send(0, TAG, drawn(100, 0))
    return {}


def deaf(group: Group) -> dict[str, Any]:
    """The last rank takes nothing; the others have theirs."""
    channel = Channel(group, TIMEOUT_S)
    if group.rank == 0:
        buffers = {rank: drawn(5_000_000, rank) for rank in range(1, group.size)}
        told = told_by(lambda: channel.send_all(buffers, TAG))
        return {**told, "answers": [rank for rank, _ in channel.receive_from(range(1, group.size - 1), TAG)]}
    if group.rank == group.size - 1:
        time.sleep(60)
    channel.send(0, TAG, channel.receive(0, TAG)[:10])
    return {}


def dead(group: Group) -> dict[str, Any]:
    """The last rank is killed while rank 0 waits for it."""
    channel = Channel(group, TIMEOUT_S)
    if group.rank == 0:
        return told_by(lambda: list(channel.receive_from(range(1, group.size), TAG)))
    if group.rank == group.size - 1:
        os.kill(os.getpid(), signal.SIGKILL)
    channel.send(0, TAG, drawn(100, 0))
    time.sleep(60)
    return {}


def failing(group: Group) -> dict[str, Any]:
    """The last rank fails; nobody waits for the time-out."""
    channel = Channel(group, 60.0)
    if group.rank == group.size - 1:
        with channel.watched():
            raise WorkError("client 7 has\nno recordings")
    return told_by(lambda: channel.receive(group.size - 1, TAG))


def leaving(group: Group) -> dict[str, Any]:
    """The last rank sends one message of two and ends; nobody waits for the time-out."""
    channel = Channel(group, 60.0)
    last = group.size - 1
    if group.rank == last:
        channel.send(0, TAG, drawn(5_000_000, 0))
    if group.rank == 0:
        first = told_by(lambda: channel.receive(last, TAG))
        return {"first": first["error"], **told_by(lambda: channel.receive(last, TAG))}
    return {}


def server_dead(group: Group) -> dict[str, Any]:
    """Rank 0 is killed while the others wait for it."""
    channel = Channel(group, TIMEOUT_S)
    if group.rank == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return told_by(lambda: channel.receive(0, TAG))


def long_end(group: Group) -> dict[str, Any]:
    """Rank 0 has much to do after the others have ended."""
    channel = Channel(group, TIMEOUT_S)
    if group.rank == 0:
        list(channel.receive_from(range(1, group.size), TAG))
        time.sleep(2.5 * TIMEOUT_S)
    else:
        channel.send(0, TAG, drawn(100, 0))
    return {}


def beating(group: Group) -> dict[str, Any]:
    """The last rank takes three times the time-out, but gives signs of life."""
    channel = Channel(group, TIMEOUT_S)
    if group.rank == 0:
        return {**told_by(lambda: channel.receive(group.size - 1, TAG)), "waiting_s": channel.waiting_s}
    if group.rank == group.size - 1:
        for _ in range(6):
            time.sleep(TIMEOUT_S / 2)
            channel.beat(0)
        channel.send(0, TAG, drawn(100, 0))
    return {}


def going_on(group: Group) -> dict[str, Any]:
    """A rank is lost, the others end their work without it, and the program ends well."""
    told = silent(group)
    if group.rank == 0:
        sys.stdout.flush()
        # What the caller does that has done without the lost rank.
        _CHANNELS[-1].exit_status = 0
    return told


def damaged(group: Group) -> dict[str, Any]:
    """Rank 1 sends messages that are corrupt or cut short; rank 0 refuses them by name."""
    channel = Channel(group, 20.0)
    values = {"output.weight": np.ones((4, 4), np.float32)}
    if group.rank == 1:
        whole = pack("update", {"round": 1}, encode(values, CodecConfig()))
        flipped, poisoned = whole.copy(), whole.copy()
        flipped[45] ^= 1
        poisoned[-4:] = np.array([np.nan], np.float32).view(np.uint8)
        for buffer in (whole, whole[:-16], flipped, poisoned):
            channel.send(0, TAG, np.ascontiguousarray(buffer))
    if group.rank == 0:
        shapes = {"output.weight": (4, 4)}
        return {
            "told": [
                told_by(lambda: decode(unpack(channel.receive(1, TAG), "update", shapes).tensors))["error"]
                for _ in range(4)
            ]
        }
    return {}


def nobody(group: Group) -> dict[str, Any]:
    """A rank that is not there, and one's own, cannot be spoken to."""
    channel = Channel(group, TIMEOUT_S)
    return {
        "self": told_by(lambda: channel.send(group.rank, TAG, drawn(1, 0)))["error"],
        "beyond": told_by(lambda: channel.receive(group.size, TAG))["error"],
    }


_CHANNELS: list[Channel] = []
_ORIGINAL = Channel.__init__


def _remembered(self: Channel, *arguments: Any, **named: Any) -> None:
    _ORIGINAL(self, *arguments, **named)
    _CHANNELS.append(self)


def main() -> None:
    Channel.__init__ = _remembered  # type: ignore[method-assign]
    group = open_group("mpi")
    found = globals()[sys.argv[1]](group)
    print("RESULT " + json.dumps({"rank": group.rank, **found}), flush=True)


if __name__ == "__main__":
    main()
