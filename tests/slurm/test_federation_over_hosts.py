"""What the ledger says has crossed is what the hosts' interfaces counted, and takes as long as was predicted."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chorale.experiments.fedtts.bench.messages import traffic
from chorale.launch.bench_links import bench_links
from chorale.launch.testbed import Testbed

pytestmark = pytest.mark.slurm

HOSTS = 3
# Of the model of 27.7 MB: four rounds of it are some 20 MB to each host.
SHARE = 0.2


def test_a_federations_ledger_agrees_with_the_hosts_interfaces_and_a_slow_link_takes_what_was_predicted(
    on_testbed: Testbed,
) -> None:
    def smaller(directory: Path, ranks: int, rounds: int, share: float) -> Any:
        return make(directory, ranks, rounds, share * SHARE)

    make = partial(traffic, clients=HOSTS)
    # That the ledger tells what MPI was handed, and that it has arrived, each run checks for itself.
    measured = bench_links(smaller, "testbed", HOSTS, rounds=3, rates_mbit=[50.0], round_s=3.0)
    rows = measured["counters"]
    assert [(row["host"], row["direction"]) for row in rows[:2]] == [("n1", "sent"), ("n1", "received")]
    assert len(rows) == 2 * HOSTS
    assert min(row["ledger_bytes"] for row in rows) > 20e6
    assert all(0.95 < row["payload_to_ledger"] < 1.05 for row in rows), rows
    (link,) = measured["links"]
    assert 0.85 < link["measured_to_predicted"] < 1.15, link
