"""The simulated network: how long a round would take on links that are not here, from bytes alone.

Profiles, our choice: ``lan`` 1000 Mbit/s both ways, 0.5 ms; ``broadband`` 100 Mbit/s down, 20 Mbit/s up, 20 ms;
``mobile`` 20 Mbit/s down, 5 Mbit/s up, 60 ms. A Mbit is 10^6 bits; latency is one way, once a message.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chorale.core.seeds import seed_for

if TYPE_CHECKING:
    from chorale.experiments.fedtts.config.federation import LinkConfig

_BYTES_PER_S_OF_MBIT = 1e6 / 8
_PROFILES: dict[str, tuple[float, float, float]] = {
    "lan": (1000.0, 1000.0, 0.5),
    "broadband": (100.0, 20.0, 20.0),
    "mobile": (20.0, 5.0, 60.0),
}
"""Mbit/s down, Mbit/s up, ms."""
TCP_OVERHEAD = 1514 / 1448
"""Bytes of Ethernet frames for a byte of TCP payload: MTU 1500, headers of 14, 20 and 20 bytes, 12 of time stamps."""


@dataclass(frozen=True)
class Link:
    """A median client's link.

    Attributes:
        down_bytes_per_s: Towards the client.
        up_bytes_per_s: Towards the server.
        latency_s: Of a message, each way.
        server_bytes_per_s: What the server's own link carries each way for all clients together; None if no limit.
    """

    down_bytes_per_s: float
    up_bytes_per_s: float
    latency_s: float
    server_bytes_per_s: float | None = None


class Work(NamedTuple):
    """What a client does in a round.

    Attributes:
        down_bytes: It downloads.
        up_bytes: It uploads.
        compute_s: Between, at this client's own speed; time for codecs inside.
        speed: Of its link, relative to the median client's.
    """

    down_bytes: int
    up_bytes: int
    compute_s: float = 0.0
    speed: float = 1.0


class ClientSeconds(NamedTuple):
    """How long a client takes in a round, in simulated seconds."""

    down: float
    compute: float
    up: float

    @property
    def total(self) -> float:
        """From the round's begin until the server has the answer."""
        return self.down + self.compute + self.up


def link_of(config: LinkConfig) -> Link:
    """Return the link that a configuration describes."""
    if config.profile == "custom":
        down, up, latency_ms = config.down_mbit, config.up_mbit, config.latency_ms
        server = None if config.server_mbit is None else config.server_mbit * _BYTES_PER_S_OF_MBIT
    else:
        down, up, latency_ms = _PROFILES[config.profile]
        server = None
    return Link(down * _BYTES_PER_S_OF_MBIT, up * _BYTES_PER_S_OF_MBIT, latency_ms / 1000, server)


def speed_of(config: LinkConfig, seed: int, client: int) -> float:
    """Return a client's speed relative to the median client's, of computing and sending alike.

    exp(speed_spread * z), z standard normal and keyed by seed and client: log-normal with median 1, our choice.
    """
    draw = np.random.default_rng(seed_for(seed, "client speed", client)).standard_normal()
    return math.exp(config.speed_spread * float(draw))


def compute_seconds(config: LinkConfig, frames: int, speed: float, depth_share: float = 1.0) -> float:
    """Return the simulated time of training.

    Args:
        config: Tells how many mel frames the median client trains on in a second at full depth.
        frames: Mel frames, each counted as often as it is trained on.
        speed: Of ``speed_of``.
        depth_share: Work of a frame relative to that at full depth.
    """
    return frames * depth_share / (config.frames_per_s * speed)


def client_seconds(link: Link, work: Work, down_total: int = 0, up_total: int = 0) -> ClientSeconds:
    """Return what one client's share of a round takes: a + B / b each way, and the computing between.

    a is the latency, B the bytes, b the client's rate. With a limited server, all clients' transfers of one direction
    are taken to share its link at the same time: then B / b is at least the total divided by the server's rate (our
    choice; a bound that is exact for the client that ends last).

    Args:
        link: The median client's.
        work: This client's.
        down_total: Bytes that all clients of the round download; matters only if the server's link is limited.
        up_total: Bytes that all of them upload.
    """
    down = work.down_bytes / (link.down_bytes_per_s * work.speed)
    up = work.up_bytes / (link.up_bytes_per_s * work.speed)
    if link.server_bytes_per_s is not None:
        down = max(down, down_total / link.server_bytes_per_s)
        up = max(up, up_total / link.server_bytes_per_s)
    return ClientSeconds(link.latency_s + down, work.compute_s, link.latency_s + up)


def round_seconds(link: Link, works: Sequence[Work], aggregate_s: float = 0.0) -> float:
    """Return T = max_i [a_dn + B_dn,i / b_dn,i + T_comp,i + a_up + B_up,i / b_up,i] + T_agg, in simulated seconds.

    Synchronous rounds last as long as their slowest client (our choice of model). Zero clients only aggregate.

    Args:
        link: The median client's.
        works: Of the clients that the server waits for.
        aggregate_s: What the server takes afterwards.
    """
    down_total, up_total = sum(work.down_bytes for work in works), sum(work.up_bytes for work in works)
    slowest = max((client_seconds(link, work, down_total, up_total).total for work in works), default=0.0)
    return slowest + aggregate_s


def predict_mpi_round(
    down_bytes: Mapping[int, int],
    up_bytes: Mapping[int, int],
    mbit: float,
    compute_s: float = 0.0,
    overhead: float = TCP_OVERHEAD,
) -> float:
    """Return how long a round takes, in seconds, on hosts whose links really are limited to ``mbit`` each way.

    (sum of down + sum of up) * overhead / rate + compute: all transfers of one direction share the server's link,
    which is therefore the bottleneck, and no rank answers before the others have theirs (our choice of model).

    Args:
        down_bytes: Lengths of the buffers handed to MPI, by receiving rank on another host.
        up_bytes: Likewise by sending rank.
        mbit: 10^6 bits per second.
        compute_s: What ranks and server compute meanwhile.
        overhead: Bytes on the link for a byte of MPI's.
    """
    total = sum(down_bytes.values()) + sum(up_bytes.values())
    return total * overhead / (mbit * _BYTES_PER_S_OF_MBIT) + compute_s
