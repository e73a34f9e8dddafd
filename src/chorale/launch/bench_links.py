"""Measure real links by traffic whose bytes are known before: interfaces' counters, and times on limited links."""

from __future__ import annotations

import os
import shlex
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from chorale.core.errors import InputError, WorkError
from chorale.core.files import read_json
from chorale.core.progress import Progress
from chorale.launch.slurm.clusters import Cluster, find_cluster, reaching
from chorale.launch.testbed import Testbed, status, up
from chorale.launch.testbed.traffic import HostTraffic, carried_meanwhile
from chorale.runs.contract import Traffic

# Counted rounds on limited links; the first round of all opens connections and does not count.
_TIMED_ROUNDS = 2
_TAIL_LETTERS = 600
MakeTraffic = Callable[[Path, int, int, float], Traffic]
"""``Bench.traffic``."""


def bench_links(
    make: MakeTraffic, cluster: str, hosts: int, rounds: int, rates_mbit: Sequence[float], round_s: float
) -> dict[str, Any]:
    """Compare the ledger with interfaces' counters, then predicted with measured seconds of a round on limited links.

    Args:
        make: Makes the traffic.
        cluster: Profile of the testbed's.
        hosts: One rank on each; rank r runs on the r-th.
        rounds: Of the first comparison.
        rates_mbit: Limits to set, one after the other; the one that holds now is restored in the end.
        round_s: What a round on a limited link should take at most: the bytes are cut down to fit it.

    Returns:
        ``counters``, a row for each host and direction, and ``links``, a row for each limit.

    Raises:
        InputError: The testbed is not up, or too small.
        WorkError: A job failed.
    """
    profile, testbed = find_cluster(cluster), Testbed.at()
    now = status(testbed)
    if now.state != "up" or len(now.nodes) < hosts:
        raise InputError(
            f"{testbed.directory}: no testbed of {hosts} nodes is up", f"`chorale testbed up --nodes {hosts}`"
        )
    nodes = [node.name for node in now.nodes]
    # Ranks on several hosts see the same files only on a shared disk.
    with (
        tempfile.TemporaryDirectory(prefix="chorale-bench-", dir=Path.cwd()) as folder,
        Progress("links", 1 + len(rates_mbit), " measurements") as progress,
    ):
        try:
            up(testbed, nodes=len(nodes), link_mbit=None)
            traffic = make(Path(folder), hosts, rounds, 1.0)
            told, found = carried_meanwhile(testbed, nodes[:hosts], lambda: _run(profile, traffic, nodes[:hosts]))
            compute_s = statistics.median(told["compute_s"])
            progress.update(1)
            links = []
            for done, mbit in enumerate(rates_mbit, start=2):
                up(testbed, nodes=len(nodes), link_mbit=mbit)
                links.append(_limited(make, Path(folder), profile, nodes[:hosts], mbit, round_s, compute_s))
                progress.update(done)
        finally:
            up(testbed, nodes=len(nodes), link_mbit=now.link_mbit)
    return {
        "hosts": hosts,
        "rounds": len(told["round_s"]) + 1,
        "unlimited_round_s": statistics.median(told["round_s"]),
        "counters": counter_rows(told, found),
        "links": links,
        "load_after": round(os.getloadavg()[0], 2),
    }


def counter_rows(told: Mapping[str, Any], found: Mapping[str, HostTraffic]) -> list[dict[str, Any]]:
    """Return a row for each host and direction: what the ledger tells beside what the interface has counted.

    Args:
        told: Of the program: bytes by rank.
        found: What the hosts carried, in order of rank.
    """
    down = {int(rank): n_bytes for rank, n_bytes in told["down_bytes"].items()}
    up_ = {int(rank): n_bytes for rank, n_bytes in told["up_bytes"].items()}
    rows = []
    for rank, (host, traffic) in enumerate(found.items()):
        sent = up_[rank] if rank else sum(down.values())
        received = down[rank] if rank else sum(up_.values())
        for direction, ledger, carried in (("sent", sent, traffic.sent), ("received", received, traffic.received)):
            rows.append(
                {
                    "host": host,
                    "direction": direction,
                    "ledger_bytes": ledger,
                    "counter_bytes": carried.n_bytes,
                    "header_bytes": carried.n_bytes - carried.payload_bytes,
                    "idle_bytes": carried.idle_bytes,
                    "payload_to_ledger": carried.payload_bytes / ledger,
                    "counter_to_ledger": carried.n_bytes / ledger,
                }
            )
    return rows


def share_that_fits(whole_s: float, round_s: float) -> float:
    """Return which share of the usual bytes makes a round of ``round_s`` out of one of ``whole_s``; at most 1."""
    return min(1.0, round_s / whole_s)


def _limited(
    make: MakeTraffic,
    folder: Path,
    profile: Cluster,
    nodes: Sequence[str],
    mbit: float,
    round_s: float,
    whole_compute_s: float,
) -> dict[str, Any]:
    """Return a limit's row; what is predicted is written down before the round."""
    share = share_that_fits(make(folder, len(nodes), _TIMED_ROUNDS, 1.0).seconds(mbit, 0.0), round_s)
    traffic = make(folder, len(nodes), _TIMED_ROUNDS, share)
    compute_s = share * whole_compute_s
    predicted_s = traffic.seconds(mbit, compute_s)
    told = _run(profile, traffic, nodes)
    measured_s = statistics.median(told["round_s"])
    return {
        "mbit": mbit,
        "bytes": sum(traffic.down_bytes.values()) + sum(traffic.up_bytes.values()),
        "compute_s": compute_s,
        "predicted_s": predicted_s,
        "measured_s": measured_s,
        "measured_to_predicted": measured_s / predicted_s,
        "measured_compute_s": statistics.median(told["compute_s"]),
    }


def _run(profile: Cluster, traffic: Traffic, nodes: Sequence[str]) -> dict[str, Any]:
    """Run the traffic's program, one rank on each node, and return what rank 0 wrote."""
    traffic.result.unlink(missing_ok=True)
    size = str(len(nodes))
    step = ["srun", "--mpi=pmix", "-N", size, "-n", size, "--ntasks-per-node=1", "-w", ",".join(nodes)]
    with reaching(profile):
        done = subprocess.run([*step, *traffic.program], capture_output=True, text=True, check=False)
    if done.returncode != 0 or not traffic.result.exists():
        words = shlex.join(traffic.program)
        raise WorkError(f"{words} ended with status {done.returncode}: {done.stderr.strip()[-_TAIL_LETTERS:]}")
    told: dict[str, Any] = read_json(traffic.result)
    return told
