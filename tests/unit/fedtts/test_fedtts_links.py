"""The simulated network: hand-computed times, in seconds."""

import math

import numpy as np
import pytest

from chorale.experiments.fedtts.config.federation import LinkConfig
from chorale.experiments.fedtts.federation.links import (
    Link,
    Work,
    client_seconds,
    compute_seconds,
    link_of,
    predict_mpi_round,
    round_seconds,
    speed_of,
)

pytestmark = pytest.mark.unit

LINK = Link(down_bytes_per_s=1000.0, up_bytes_per_s=100.0, latency_s=0.5)


@pytest.mark.parametrize(
    ("profile", "down", "up", "latency"),
    [("lan", 125e6, 125e6, 0.0005), ("broadband", 12.5e6, 2.5e6, 0.02), ("mobile", 2.5e6, 0.625e6, 0.06)],
)
def test_profiles_are_bytes_per_second_and_seconds(profile, down, up, latency):
    assert link_of(LinkConfig(profile=profile)) == Link(down, up, latency, None)


def test_a_custom_link_takes_the_values_given():
    config = LinkConfig(profile="custom", down_mbit=8, up_mbit=4, latency_ms=100, server_mbit=16)
    assert link_of(config) == Link(1e6, 5e5, 0.1, 2e6)


def test_values_of_a_custom_link_do_not_touch_a_profile():
    assert link_of(LinkConfig(profile="lan", down_mbit=1, server_mbit=1)) == link_of(LinkConfig(profile="lan"))


def test_a_clients_seconds_by_hand():
    # 0.5 + 2000/1000; 3; 0.5 + 400/100
    seconds = client_seconds(LINK, Work(2000, 400, 3.0))
    assert seconds == (2.5, 3.0, 4.5)
    assert seconds.total == 10.0


def test_a_client_of_half_the_speed_sends_half_as_fast_but_has_the_same_latency():
    assert client_seconds(LINK, Work(2000, 400, 3.0, speed=0.5)) == (4.5, 3.0, 8.5)


def test_a_round_lasts_as_long_as_its_slowest_client_and_the_servers_work():
    works = [Work(2000, 400, 3.0), Work(100, 100, 20.0), Work(0, 0)]
    # The second: 0.5 + 0.1 + 20 + 0.5 + 1
    assert round_seconds(LINK, works, aggregate_s=0.25) == pytest.approx(22.1 + 0.25)


def test_a_round_without_clients_only_aggregates():
    assert round_seconds(LINK, [], 0.25) == 0.25


def test_clients_share_a_limited_server_link():
    link = Link(1000.0, 100.0, 0.5, server_bytes_per_s=500.0)
    works = [Work(1000, 100)] * 4
    # 4000 bytes down at 500 take 8 s where one alone takes 1; 400 up at 500 take 0.8 where its own link takes 1.
    assert client_seconds(link, works[0], 4000, 400) == (8.5, 0.0, 1.5)
    assert round_seconds(link, works) == 10.0


def test_computing_by_hand():
    config = LinkConfig(frames_per_s=1000)
    assert compute_seconds(config, 5000, speed=2.0, depth_share=0.5) == 1.25


def test_a_clients_speed_depends_on_seed_and_client_alone():
    config = LinkConfig(speed_spread=0.3)
    assert speed_of(config, 1, 2) == speed_of(config, 1, 2)
    assert len({speed_of(config, seed, client) for seed in range(3) for client in range(3)}) == 9


def test_speeds_are_log_normal_with_median_one_and_the_spread_asked_for():
    config = LinkConfig(speed_spread=0.3)
    logarithms = [math.log(speed_of(config, 0, client)) for client in range(4000)]
    assert np.mean(logarithms) == pytest.approx(0.0, abs=0.3 * 4 / math.sqrt(4000))
    assert np.std(logarithms) == pytest.approx(0.3, rel=0.05)


def test_without_spread_all_clients_are_alike():
    assert {speed_of(LinkConfig(speed_spread=0), 0, client) for client in range(5)} == {1.0}


def test_a_round_on_limited_hosts_is_all_bytes_over_the_servers_link():
    down, up = {1: 1_000_000, 2: 2_000_000}, {1: 500_000, 2: 1_500_000}
    assert predict_mpi_round(down, up, mbit=8, overhead=1.0) == 5.0
    assert predict_mpi_round(down, up, mbit=8, overhead=1.0, compute_s=2.0) == 7.0
    assert predict_mpi_round(down, up, mbit=8) == pytest.approx(5.0 * 1514 / 1448)
