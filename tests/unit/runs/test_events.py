"""Events: one history from many attempts, each step once."""

import math
from pathlib import Path

import pytest

from chorale.core.errors import InputError
from chorale.runs.events import EventWriter, event_file, read_events

pytestmark = pytest.mark.unit


def log(events: Path, attempt: int, steps: range, value: float) -> Path:
    writer = EventWriter(event_file(events, "train", 0, attempt, 0))
    for step in steps:
        writer.log(step, {"loss": value})
    writer.close()
    return writer.path


def test_where_attempts_overlap_the_highest_wins_and_each_step_is_there_once(tmp_path: Path) -> None:
    log(tmp_path, 1, range(6), 1.0)
    log(tmp_path, 2, range(4, 10), 2.0)
    log(tmp_path, 10, range(8, 12), 10.0)
    history = [(event.step, event.value) for event in read_events(tmp_path, "train", 0)]
    assert history == [(s, 1.0 if s < 4 else 2.0 if s < 8 else 10.0) for s in range(12)]


def test_a_last_line_cut_short_by_a_kill_is_passed_over(tmp_path: Path) -> None:
    path = log(tmp_path, 1, range(3), 1.0)
    path.write_text(path.read_text()[:-9])
    assert [event.step for event in read_events(tmp_path, "train", 0)] == [0, 1]


def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path) -> None:
    path = log(tmp_path, 1, range(3), 1.0)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "garbage", lines[2]]) + "\n")
    with pytest.raises(InputError, match="line 2 is damaged"):
        read_events(tmp_path, "train", 0)


def test_non_finite_values_survive(tmp_path: Path) -> None:
    writer = EventWriter(event_file(tmp_path, "train", 0, 1, 0))
    writer.log(0, {"a": math.nan, "b": math.inf, "c": -math.inf})
    writer.close()
    a, b, c = (event.value for event in read_events(tmp_path, "train", 0))
    assert math.isnan(a)
    assert (b, c) == (math.inf, -math.inf)
