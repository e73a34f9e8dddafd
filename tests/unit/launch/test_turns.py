"""Claims about tasks that start in turns."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chorale.launch.slurm.turns import Turn

_HOLD = """
import sys, time
from chorale.launch.slurm.turns import Turn
with Turn(sys.argv[1], places=2, patience_s=30) as held:
    print(held, time.monotonic(), flush=True)
    time.sleep(0.2)
    print(time.monotonic(), flush=True)
"""


def test_never_more_start_at_a_time_than_there_are_places_and_each_has_its_turn(tmp_path: Path) -> None:
    folder = str(tmp_path / "starts")
    processes = [
        subprocess.Popen([sys.executable, "-c", _HOLD, folder], stdout=subprocess.PIPE, text=True) for _ in range(6)
    ]
    spans = []
    for process in processes:
        held, began, ended = process.communicate(timeout=60)[0].split()
        assert held == "True"
        spans.append((float(began), float(ended)))
    together = [sum(began <= moment < ended for began, ended in spans) for moment, _ in spans]
    assert max(together) <= 2
    assert len(spans) == 6


def test_who_has_waited_long_enough_starts_out_of_turn(tmp_path: Path) -> None:
    folder = str(tmp_path / "starts")
    with Turn(folder, places=1) as first:
        began = time.monotonic()
        with Turn(folder, places=1, patience_s=0.2) as second:
            waited = time.monotonic() - began
    assert (first, second) == (True, False)
    assert 0.2 <= waited < 5


def test_a_process_that_was_killed_holds_no_place(tmp_path: Path) -> None:
    folder = str(tmp_path / "starts")
    hold = (
        f"from chorale.launch.slurm.turns import Turn\nwith Turn({folder!r}, places=1): print(1, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        with Turn(folder, places=1, patience_s=0) as meanwhile:
            assert not meanwhile
        process.kill()
        process.wait()
        with Turn(folder, places=1, patience_s=0) as afterwards:
            assert afterwards


def test_a_place_is_free_again_after_the_block(tmp_path: Path) -> None:
    for _ in range(3):
        with Turn(str(tmp_path / "starts"), places=1, patience_s=0) as held:
            assert held


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a folder somebody else's")
def test_in_somebody_elses_folder_nobody_waits_and_nothing_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "starts"
    folder.mkdir()
    os.chown(folder, 1, 1)
    began = time.monotonic()
    with Turn(str(folder), places=1) as held:
        assert not held
    assert time.monotonic() - began < 1
    assert list(folder.iterdir()) == []
