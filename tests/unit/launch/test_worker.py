"""A worker carries a run out; several share it; what fails is told, and what can never start is cancelled."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chorale.launch.begin import reopen_failed, reopen_stage
from chorale.launch.plan import first_failure, overall, read_plan
from chorale.launch.worker import work
from chorale.runs.contract import Stage
from chorale.runs.directory import Run
from chorale.runs.items import Failure, ItemRecord, State, summarise

pytestmark = pytest.mark.unit

RunMaker = Callable[..., Run]
SUM_OF_SQUARES_TO_7 = 140


def result_of(run: Run, stage: str = "total") -> object:
    return read_plan(run)[stage].records[0].result


def test_a_run_breeds_its_stages_and_ends_with_their_sum(new_run: RunMaker) -> None:
    run = new_run(numbers=4, generations=2)
    assert work(run) is State.DONE
    assert result_of(run) == {"total": SUM_OF_SQUARES_TO_7}
    assert list(read_plan(run)) == [
        *("prepare", "squares-0", "next-0", "squares-1", "next-1", "total", "report"),
    ]


def test_working_again_does_nothing_again(new_run: RunMaker) -> None:
    run = new_run()
    work(run)
    before = [record for status in read_plan(run).values() for record in status.records]
    work(run)
    assert [record for status in read_plan(run).values() for record in status.records] == before


def test_a_failed_item_of_a_tolerant_stage_is_told_and_the_run_goes_on(new_run: RunMaker) -> None:
    run = new_run(fail_at=2)
    assert work(run) is State.DONE
    assert result_of(run) == {"total": SUM_OF_SQUARES_TO_7 - 4}
    failed = read_plan(run)["squares-0"].records[2]
    assert (failed.failure, failed.message) == (Failure.ERROR, "ValueError: told to fail")


def test_a_failed_stage_cancels_what_needs_it_with_the_reason(new_run: RunMaker) -> None:
    run = new_run(fail_at=2, intolerant=True)
    assert work(run) is State.FAILED
    plan = read_plan(run)
    assert plan["next-0"].state is State.CANCELLED
    assert plan["next-0"].reason == (
        "next-0: dependency: needs stage squares-0, which failed (squares-0 item 2: error: ValueError: told to fail)"
    )
    assert plan["report"].state is State.CANCELLED
    assert first_failure(plan) == "squares-0 item 2: error: ValueError: told to fail"


def test_a_tolerant_stage_that_lost_every_item_has_failed(new_run: RunMaker) -> None:
    run = new_run(numbers=1, fail_at=0)
    assert work(run) is State.FAILED


def test_bad_input_is_told_apart_from_an_error(new_run: RunMaker) -> None:
    run = new_run(bad_input_at=1, intolerant=True)
    work(run)
    assert read_plan(run)["squares-0"].records[1].failure is Failure.INPUT


def test_debug_lets_the_exception_through(new_run: RunMaker) -> None:
    with pytest.raises(ValueError, match="told to fail"):
        work(new_run(fail_at=0), debug=True)


def test_a_failed_run_that_is_begun_again_tries_only_what_failed(new_run: RunMaker) -> None:
    run = new_run(fail_at=2, intolerant=True)
    work(run)
    reopen_failed(run)
    states = summarise(read_plan(run)["squares-0"].records)
    assert states == {"done": 3, "pending": 1}
    assert work(run) is State.FAILED
    assert [record.attempt for record in read_plan(run)["squares-0"].records] == [1, 1, 3, 1]


def test_a_stage_that_is_opened_again_is_done_again(new_run: RunMaker) -> None:
    run = new_run()
    work(run)
    assert reopen_stage(run, "squares-1") == 4
    assert overall(read_plan(run)) is State.RUNNING
    assert work(run) is State.DONE
    assert [record.attempt for record in read_plan(run)["squares-1"].records] == [3, 3, 3, 3]


def _work_in_child(directory: Path) -> None:
    work(Run(directory))


def test_an_item_that_kills_every_process_is_given_up_after_a_few(new_run: RunMaker) -> None:
    run = new_run(die_at=1)
    context = multiprocessing.get_context("spawn")
    for _ in range(4):
        child = context.Process(target=_work_in_child, args=(run.directory,))
        child.start()
        child.join()
    record = read_plan(run)["squares-0"].records[1]
    assert (record.failure, record.attempt) == (Failure.KILLED, 1 + 2)
    assert overall(read_plan(run)) is State.DONE


def test_workers_that_share_a_run_do_each_item_once(new_run: RunMaker) -> None:
    run = new_run(numbers=12, seconds=0.25)
    context = multiprocessing.get_context("spawn")
    children = [context.Process(target=_work_in_child, args=(run.directory,)) for _ in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    plan = read_plan(run)
    assert overall(plan) is State.DONE
    assert {record.attempt for status in plan.values() for record in status.records} == {1}
    assert len({record.pid for record in plan["squares-0"].records}) > 1


def test_a_stage_that_is_declared_while_the_plan_is_read_is_in_the_plan(
    new_run: RunMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(generations=1)
    read_items = Run.items

    def ends_meanwhile(self: Run, stage: Stage) -> list[ItemRecord]:
        # The last stage known so far ends, and declares another, between the listing and the look at its items.
        if stage.name == "next-0":
            run.declare([Stage(name="total", function="counting:total", needs=("next-0",))])
        return read_items(self, stage)

    monkeypatch.setattr(Run, "items", ends_meanwhile)
    assert "total" in read_plan(run)


def test_local_workers_give_the_same_result_and_a_dead_one_is_replaced(new_run: RunMaker) -> None:
    from chorale.launch.local import run_locally

    run = new_run(die_at=5)
    assert run_locally(run, workers=2) is State.DONE
    assert result_of(run) == {"total": SUM_OF_SQUARES_TO_7 - 25}
    assert read_plan(run)["squares-1"].records[1].failure is Failure.KILLED


def test_a_stage_whose_need_nobody_declares_is_cancelled_at_the_end(new_run: RunMaker) -> None:
    from chorale.runs.contract import Stage

    run = new_run()
    orphan = Stage(name="orphan", function="counting:total", needs=("never",))
    run.declare([orphan, Stage(name="heir", function="counting:total", needs=("orphan",))])
    assert work(run) is State.FAILED
    plan = read_plan(run)
    record = plan["orphan"].records[0]
    assert (record.state, record.message) == (State.CANCELLED, "needs stage never, which no stage declared")
    assert plan["heir"].state is State.CANCELLED


def test_a_frozen_attempt_that_wakes_after_the_next_has_taken_over_writes_nothing(
    new_run: RunMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(numbers=1, generations=1, seconds=3)
    frozen = multiprocessing.get_context("spawn").Process(target=_work_in_child, args=(run.directory,))
    frozen.start()
    events = run.events / "squares-0" / "000000.1-0.jsonl"
    deadline = time.monotonic() + 30
    while not (events.exists() and len(events.read_text().splitlines()) > 5) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(frozen.pid, signal.SIGSTOP)
    time.sleep(1.5)
    before = {path: path.read_text() for path in run.directory.rglob("*.1*.json*")}
    monkeypatch.setattr("chorale.runs.items.STALE_S", 1.0)
    assert work(run) is State.DONE
    os.kill(frozen.pid, signal.SIGCONT)
    frozen.join()
    assert {path: path.read_text() for path in before} == before
    assert [r.attempt for r in read_plan(run)["squares-0"].records] == [2]
