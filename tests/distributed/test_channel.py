"""Messages between ranks under mpirun: every byte counted on both sides, and no rank waits for ever."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chorale.core.errors import WorkError
from chorale.ranks.channel import Channel
from chorale.ranks.group import SingleProcess

pytestmark = pytest.mark.distributed

PROGRAM = Path(__file__).parents[1] / "programs" / "channel_program.py"
TIME_LIMIT_S = 40
HOST = socket.gethostname().split(".")[0]


class Ended:
    """How a group of ranks ended."""

    def __init__(self, scenario: str, ranks: int, folder: Path, *options: str) -> None:
        if shutil.which("mpirun") is None or find_spec("mpi4py") is None:
            pytest.skip("mpirun or mpi4py is not installed: run make native as root")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMPI_", "PMIX_", "SLURM_"))}
        environment = {
            **kept,
            "OMP_NUM_THREADS": "1",
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
            "OMPI_MCA_oob_tcp_if_include": "lo",
            "OMPI_MCA_btl_tcp_if_include": "lo",
        }
        command = ["mpirun", "--oversubscribe", "--bind-to", "none", *options, "-np", str(ranks)]
        started = time.monotonic()
        process = subprocess.Popen(
            [*command, sys.executable, str(PROGRAM), scenario],
            cwd=folder,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            output, self.errors = process.communicate(timeout=TIME_LIMIT_S)
        finally:
            process.kill()
        self.seconds, self.status = time.monotonic() - started, process.returncode
        decoder = json.JSONDecoder()
        found = [decoder.raw_decode(part)[0] for part in output.split("RESULT ")[1:]]
        self.ranks: dict[int, dict[str, Any]] = {each["rank"]: each for each in found}


@pytest.mark.parametrize("ranks", [2, 3])
def test_buffers_of_every_size_arrive_whole_and_both_sides_count_the_same_bytes(tmp_path: Path, ranks: int) -> None:
    ended = Ended("round_trips", ranks, tmp_path)
    assert ended.status == 0, ended.errors
    assert [ended.ranks[rank]["right"] for rank in range(ranks)] == [True] * ranks
    sizes = (0, 1, 7, 4096, 65_537, 131_072, 3_000_000)
    server = ended.ranks[0]
    for rank in range(1, ranks):
        client = ended.ranks[rank]
        assert server["sent"][str(rank)] == client["received"]["0"] == sum(sizes)
        assert client["sent"]["0"] == server["received"][str(rank)] == sum(sizes) + len(sizes)
        assert server["control"][str(rank)] == len(sizes)
    assert server["seconds"] > 0


def test_a_message_with_another_tag_waits_for_its_turn(tmp_path: Path) -> None:
    assert Ended("tags", 2, tmp_path).ranks[0]["right"]


@pytest.mark.parametrize("ranks", [2, 3])
def test_a_silent_rank_is_named_within_the_time_out_and_the_others_are_heard(tmp_path: Path, ranks: int) -> None:
    ended = Ended("silent", ranks, tmp_path)
    told = ended.ranks[0]
    assert f"rank {ranks - 1} on {HOST} did not send anything within 1 s" in told["error"]
    assert told["ranks"] == [ranks - 1]
    assert 1 <= told["seconds"] < 3
    assert told["got"] == list(range(1, ranks - 1))
    assert "was lost before" in told["again"]["error"]
    assert ended.status == 1
    assert ended.seconds < 20


def test_a_rank_that_takes_nothing_is_named_and_the_others_have_their_messages(tmp_path: Path) -> None:
    ended = Ended("deaf", 3, tmp_path)
    told = ended.ranks[0]
    assert f"rank 2 on {HOST} did not take a message within 1 s" in told["error"]
    assert told["answers"] == [1]
    assert ended.seconds < 20


@pytest.mark.parametrize("ranks", [2, 3])
def test_a_killed_rank_is_named_and_nothing_hangs(tmp_path: Path, ranks: int) -> None:
    # As a launcher does that leaves it to the program what a dead rank means.
    ended = Ended("dead", ranks, tmp_path, "--enable-recovery")
    told = ended.ranks[0]
    assert f"rank {ranks - 1} on {HOST}" in told["error"]
    assert told["ranks"] == [ranks - 1]
    assert told["seconds"] < 3
    assert ended.seconds < 20


def test_a_rank_that_fails_says_so_and_nobody_waits_for_the_time_out(tmp_path: Path) -> None:
    ended = Ended("failing", 3, tmp_path)
    for rank in (0, 1):
        assert f"rank 2 on {HOST} failed: client 7 has no recordings" in ended.ranks[rank]["error"]
        assert ended.ranks[rank]["seconds"] < 5
    assert ended.status == 1
    assert ended.seconds < 20


def test_a_rank_that_ends_early_is_named_at_once_but_what_it_sent_before_arrives(tmp_path: Path) -> None:
    ended = Ended("leaving", 3, tmp_path)
    told = ended.ranks[0]
    assert told["first"] is None
    assert f"rank 2 on {HOST} has ended and did not send anything" in told["error"]
    assert told["seconds"] < 5
    assert ended.seconds < 20


def test_a_killed_server_is_named_by_all_others_and_nothing_hangs(tmp_path: Path) -> None:
    ended = Ended("server_dead", 3, tmp_path, "--enable-recovery")
    # The first to notice ends all, so the other's line may be missing.
    assert set(ended.ranks) & {1, 2}
    for told in ended.ranks.values():
        assert f"rank 0 on {HOST}" in told["error"]
        assert told["seconds"] < 3
    assert ended.seconds < 20


def test_ranks_that_have_ended_wait_for_a_server_that_has_much_to_do(tmp_path: Path) -> None:
    ended = Ended("long_end", 3, tmp_path)
    assert ended.status == 0, ended.errors
    assert set(ended.ranks) == {0, 1, 2}


def test_a_rank_that_works_long_and_gives_signs_of_life_is_waited_for(tmp_path: Path) -> None:
    ended = Ended("beating", 3, tmp_path)
    assert ended.ranks[0]["error"] is None
    assert ended.ranks[0]["waiting_s"] > 2
    assert ended.status == 0, ended.errors


def test_a_program_that_has_done_without_a_lost_rank_ends_well(tmp_path: Path) -> None:
    ended = Ended("going_on", 3, tmp_path)
    assert ended.ranks[0]["ranks"] == [2]
    assert ended.status == 0, ended.errors
    assert ended.seconds < 20


def test_corrupt_and_truncated_messages_are_refused_by_name(tmp_path: Path) -> None:
    whole, truncated, flipped, poisoned = Ended("damaged", 2, tmp_path).ranks[0]["told"]
    assert whole is None
    assert "update message: truncated" in truncated
    assert "update message: its header is corrupt" in flipped
    assert "output.weight: holds values that are not finite" in poisoned


def test_a_rank_that_is_not_there_cannot_be_spoken_to(tmp_path: Path) -> None:
    ended = Ended("nobody", 2, tmp_path)
    assert "rank 1 of 2: there is no other rank 1" in ended.ranks[1]["self"]
    assert "rank 0 of 2: there is no other rank 2" in ended.ranks[0]["beyond"]


def test_a_group_of_one_has_a_channel_that_cannot_send() -> None:
    channel = Channel(SingleProcess())
    assert (channel.sent_bytes, channel.received_bytes, channel.counters().sent) == ({}, {}, {})
    with pytest.raises(WorkError, match="there is no other rank 1"):
        channel.send(1, 0, np.zeros(1, np.uint8))
    with pytest.raises(WorkError, match="there is no other rank 0"):
        channel.receive(0, 0)
    channel.fail("nobody listens")
