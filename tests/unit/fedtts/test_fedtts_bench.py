from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chorale.experiments.fedtts.bench.measure import own_row, share_of_mpi
from chorale.experiments.fedtts.bench.messages import messages_of, traffic
from chorale.experiments.fedtts.bench.rank import carry_out
from chorale.experiments.fedtts.bench.work import Work, model_shapes, read_work, values_of
from chorale.experiments.fedtts.federation.links import TCP_OVERHEAD
from chorale.launch.bench_links import counter_rows, share_that_fits
from chorale.launch.testbed.links import Counters
from chorale.launch.testbed.traffic import HEADER_BYTES, less_idle
from chorale.ranks.group import SingleProcess

pytestmark = pytest.mark.unit

MILLION = {"decoder.layers.0.weight": (1000, 1000)}
# Header and alignment of a message of one tensor.
SMALL = 1000


def test_the_model_has_the_seven_million_parameters_of_the_small_one() -> None:
    assert 6.8e6 < values_of(model_shapes()) < 7.2e6


def test_a_share_of_the_model_has_about_that_share_of_its_values_in_all_of_its_tensors() -> None:
    whole, tenth = model_shapes(), model_shapes(0.1)
    assert list(tenth) == list(whole)
    assert values_of(tenth) == pytest.approx(0.1 * values_of(whole), rel=0.05)


def test_work_comes_back_from_its_file(tmp_path: Path) -> None:
    work = Work(model_shapes(0.01), clients=3, ranks=2, rounds=4, aggregate_in_rank=False, passes=2)
    work.write(tmp_path / "work.json")
    assert read_work(tmp_path / "work.json") == work


def test_a_rank_gets_the_model_and_sends_a_sum_where_that_is_no_longer_than_its_clients_updates() -> None:
    # 5 clients on 3 ranks: rank 1 has clients 1 and 4, whose sum of 8 bytes a value is as long as both; rank 2 has one.
    found = messages_of(Work(MILLION, clients=5, ranks=3, rounds=1))
    assert found.down == {1: pytest.approx(4e6, abs=SMALL), 2: pytest.approx(4e6, abs=SMALL)}
    assert found.up == {1: [pytest.approx(8e6, abs=SMALL)], 2: [pytest.approx(4e6, abs=SMALL)]}
    assert found.total == pytest.approx(20e6, abs=5 * SMALL)


def test_without_adding_up_every_update_is_sent() -> None:
    found = messages_of(Work(MILLION, clients=7, ranks=3, rounds=1, aggregate_in_rank=False))
    assert [len(several) for several in found.up.values()] == [2, 2]
    assert all(n_bytes == pytest.approx(4e6, abs=SMALL) for several in found.up.values() for n_bytes in several)


def test_the_predicted_round_is_bytes_times_overhead_by_the_rate_and_computing(tmp_path: Path) -> None:
    made = traffic(tmp_path, ranks=2, rounds=1, share=0.01, clients=2)
    n_bytes = made.down_bytes[1] + made.up_bytes[1]
    # 8 Mbit/s are 10^6 bytes in a second.
    assert made.seconds(8.0, 0.5) == pytest.approx(n_bytes * TCP_OVERHEAD / 1e6 + 0.5)
    assert read_work(tmp_path / "work.json").ranks == 2


def test_a_federation_of_one_process_tells_the_seconds_of_the_rounds_that_count(tmp_path: Path) -> None:
    told: Any = carry_out(Work(model_shapes(0.01), clients=2, ranks=1, rounds=3), SingleProcess(), tmp_path)
    assert [len(told[f"{part}_s"]) for part in ("round", "codec", "mpi", "waiting", "compute")] == [3] * 5
    assert told["exchange_s"] == [] and told["message_bytes"] == 0 and told["down_bytes"] == {}
    assert all(0 < seconds < 30 for seconds in told["codec_s"])


def turn(**changes: Any) -> dict[str, Any]:
    usual = {"round_s": [3.0, 1.0, 2.0], "codec_s": [0.5], "mpi_s": [0.2, 0.4, 0.3], "waiting_s": [0.1]}
    return {**usual, "exchange_s": [0.15, 0.21, 0.9], "message_bytes": 42_000_000, **changes}


def test_the_share_of_mpis_bandwidth_is_its_median_seconds_by_the_rounds() -> None:
    assert share_of_mpi(turn()) == pytest.approx(0.21 / 0.3)


def test_a_row_holds_median_and_extremes_of_each_turns_median() -> None:
    row = own_row([turn(), turn(round_s=[5.0]), turn(round_s=[4.0])])
    assert row["round_s"] == {"median": 4.0, "min": 2.0, "max": 5.0}
    assert row["mpi_bytes_per_s"]["median"] == pytest.approx(42e6 / 0.21)


def test_an_idle_interval_is_subtracted_from_what_an_interface_has_carried() -> None:
    first = Counters(received_bytes=100, sent_bytes=1000, received_packets=10, sent_packets=20)
    second = Counters(received_bytes=10_100, sent_bytes=6000, received_packets=30, sent_packets=50)
    third = Counters(received_bytes=10_150, sent_bytes=6200, received_packets=31, sent_packets=53)
    found = less_idle(first, second, third)
    assert (found.received.n_bytes, found.received.packets, found.received.idle_bytes) == (9950, 19, 50)
    assert (found.sent.n_bytes, found.sent.packets, found.sent.idle_bytes) == (4800, 27, 200)
    assert found.sent.payload_bytes == 4800 - 27 * HEADER_BYTES


def test_the_servers_host_sends_what_all_others_get_and_each_other_host_its_own() -> None:
    zero = Counters(received_bytes=0, sent_bytes=0, received_packets=0, sent_packets=0)
    server = less_idle(zero, Counters(received_bytes=70, sent_bytes=30, received_packets=0, sent_packets=0), zero)
    told = {"down_bytes": {"1": 100, "2": 200}, "up_bytes": {"1": 400, "2": 300}}
    rows = counter_rows(told, dict.fromkeys(("n1", "n2", "n3"), server))
    assert [(row["host"], row["direction"], row["ledger_bytes"]) for row in rows] == [
        ("n1", "sent", 300),
        ("n1", "received", 700),
        ("n2", "sent", 400),
        ("n2", "received", 100),
        ("n3", "sent", 300),
        ("n3", "received", 200),
    ]
    # Third reading is of zeros: the "idle" interval has taken everything back, so twice is left.
    assert rows[0]["counter_to_ledger"] == pytest.approx(2 * 30 / 300)


@pytest.mark.parametrize(("whole_s", "share"), [(40.0, 0.25), (5.0, 1.0)])
def test_a_limited_round_is_cut_down_to_its_seconds_and_never_made_longer(whole_s: float, share: float) -> None:
    assert share_that_fits(whole_s, round_s=10.0) == share
