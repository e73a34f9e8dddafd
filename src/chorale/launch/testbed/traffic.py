"""What the interfaces of hosts carry while something runs, less what they carry anyway."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from chorale.launch.testbed.layout import Testbed
from chorale.launch.testbed.links import Counters, counters

T = TypeVar("T")
# Ethernet 14 (the frame check sequence is not counted), IPv4 20, TCP 20, TCP's time stamps 12.
HEADER_BYTES = 66
"""Of a packet of TCP, as an interface counts them."""


@dataclass(frozen=True)
class Carried:
    """What one interface has carried in one direction, less an idle interval of the same length.

    Attributes:
        n_bytes: Headers included.
        packets: As the interface counts them: several segments that the kernel hands over at once are one.
        idle_bytes: What was subtracted.
    """

    n_bytes: int
    packets: int
    idle_bytes: int

    @property
    def payload_bytes(self) -> int:
        """Bytes without headers; bare acknowledgements have nothing else, so they count nothing."""
        return self.n_bytes - HEADER_BYTES * self.packets


@dataclass(frozen=True)
class HostTraffic:
    """Of one host."""

    sent: Carried
    received: Carried


def carried_meanwhile(
    testbed: Testbed, nodes: Sequence[str], work: Callable[[], T]
) -> tuple[T, dict[str, HostTraffic]]:
    """Do ``work``, wait as long as it took, and return its result and each node's traffic.

    Args:
        testbed: The cluster; nothing else may run on it meanwhile.
        nodes: Whose interfaces are read.
        work: Anything that sends.
    """
    first = {node: counters(testbed, node) for node in nodes}
    began = time.monotonic()
    result = work()
    lasted_s = time.monotonic() - began
    second = {node: counters(testbed, node) for node in nodes}
    time.sleep(lasted_s)
    third = {node: counters(testbed, node) for node in nodes}
    return result, {node: less_idle(first[node], second[node], third[node]) for node in nodes}


def less_idle(first: Counters, second: Counters, third: Counters) -> HostTraffic:
    """Return what a host carried between the first two readings, less what it did between the last two."""

    def carried(direction: str) -> Carried:
        sizes, packets = ([getattr(each, f"{direction}_{what}") for each in (first, second, third)] for what in _WHAT)
        idle = sizes[2] - sizes[1]
        return Carried(sizes[1] - sizes[0] - idle, 2 * packets[1] - packets[0] - packets[2], idle)

    return HostTraffic(carried("sent"), carried("received"))


_WHAT = ("bytes", "packets")
