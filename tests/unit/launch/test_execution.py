"""Claims about one item that several ranks share."""

import time
from collections.abc import Callable

import pytest
from threads import on_threads

from chorale.launch import execution
from chorale.launch.execution import execute
from chorale.runs.directory import Run
from chorale.runs.items import State

pytestmark = pytest.mark.unit

RunMaker = Callable[..., Run]


def test_every_rank_learns_that_the_item_is_done_however_long_that_takes_to_write(
    new_run: RunMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run()
    stage = run.stages()["prepare"]
    finish = execution._finish

    def slowly(*arguments: object) -> None:
        time.sleep(0.5)
        finish(*arguments)

    monkeypatch.setattr(execution, "_finish", slowly)
    states = on_threads(2, lambda group, channel: execute(run, stage, 0, group=group))
    assert states == [State.DONE, State.DONE]
