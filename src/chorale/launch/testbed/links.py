"""The network between the hosts: one bridge on the controller, one link to each node, that can be limited and cut."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass

from chorale.core.errors import WorkError
from chorale.launch.testbed import hosts
from chorale.launch.testbed.layout import CONTROLLER, Testbed, address

_BRIDGE = "bridge"
_INTERFACE = "eth0"
# A token bucket must hold what the link carries in a timer tick, and at least one segment of 64 KiB.
_BURST_S = 0.01
_BURST_BYTES_MIN = 1 << 16
_QUEUE_MS = 400


@dataclass(frozen=True, kw_only=True)
class Counters:
    """What a node's interface has carried since it was made.

    Args:
        received_bytes: Bytes that came in, with their Ethernet headers.
        sent_bytes: Bytes that went out, likewise.
        received_packets: Packets that came in; the kernel may hand over several segments as one.
        sent_packets: Packets that went out, likewise.
    """

    received_bytes: int
    sent_bytes: int
    received_packets: int
    sent_packets: int


def connect(testbed: Testbed, nodes: list[str]) -> None:
    """Make the bridge and the links, and give every host its address. Nothing outside of the hosts is touched."""
    lines = [
        "link set lo up",
        f"link add {_BRIDGE} type bridge",
        f"address add {address(CONTROLLER)}/24 dev {_BRIDGE}",
        f"link set {_BRIDGE} up",
    ]
    for node in nodes:
        lines.append(f"link add {node} type veth peer name {_INTERFACE} netns {testbed.network(node)}")
        lines.append(f"link set {node} master {_BRIDGE} up")
    _batch(testbed, CONTROLLER, "ip", lines)
    for node in nodes:
        up = f"link set {_INTERFACE} up"
        _batch(testbed, node, "ip", ["link set lo up", f"address add {address(node)}/24 dev {_INTERFACE}", up])


def limit(testbed: Testbed, nodes: list[str], mbit: float | None) -> None:
    """Limit every node's link, each direction by itself, to ``mbit`` megabits (10^6) per second, or lift the limit."""
    for node in nodes:
        # A queue discipline shapes what leaves an interface, so both ends of the link get one.
        for host, interface in ((CONTROLLER, node), (node, _INTERFACE)):
            _batch(testbed, host, "tc", [_discipline(interface, mbit)])


def cut(testbed: Testbed, node: str) -> None:
    """Take the link of ``node`` down, as a pulled cable does; its processes go on."""
    _batch(testbed, CONTROLLER, "ip", [f"link set {node} down"])


def restore(testbed: Testbed, node: str) -> None:
    """Take the link of ``node`` up again; a limit set before still holds."""
    _batch(testbed, CONTROLLER, "ip", [f"link set {node} up"])


def counters(testbed: Testbed, node: str) -> Counters:
    """Read the counters of the interface of ``node``."""
    shown = _run(testbed, node, ["ip", "-json", "-statistics", "link", "show", "dev", _INTERFACE])
    statistics = json.loads(shown)[0]["stats64"]
    received, sent = statistics["rx"], statistics["tx"]
    return Counters(
        received_bytes=received["bytes"],
        sent_bytes=sent["bytes"],
        received_packets=received["packets"],
        sent_packets=sent["packets"],
    )


def _discipline(interface: str, mbit: float | None) -> str:
    if mbit is None:
        return f"qdisc replace dev {interface} root pfifo limit 1000"
    burst_bytes = max(_BURST_BYTES_MIN, int(mbit * 1e6 / 8 * _BURST_S))
    rate = f"rate {round(mbit * 1e6)}bit burst {burst_bytes}b latency {_QUEUE_MS}ms"
    return f"qdisc replace dev {interface} root tbf {rate}"


def _batch(testbed: Testbed, host: str, program: str, lines: list[str]) -> None:
    _run(testbed, host, [program, "-batch", "-"], "\n".join(lines) + "\n")


def _run(testbed: Testbed, host: str, command: list[str], text: str = "") -> str:
    whole = [*hosts.enter(testbed, host, testbed.directory), *command]
    done = subprocess.run(whole, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise WorkError(f"testbed: {command[0]} failed on host {host} ({done.stderr.strip()})")
    return done.stdout
