import pytest

from chorale.runs.stopping import StopFlag
from chorale.training import agreement as module
from chorale.training.agreement import Agreement

pytestmark = pytest.mark.unit


class Clock:
    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


class Slow:
    """Two ranks, of which this is rank 0 and the other says what it is told to; a collective takes 1 ms."""

    rank, size = 0, 2

    def __init__(self, clock, other=(0.0,) * 5):
        self.clock, self.other = clock, other

    def total(self, values):
        self.clock.now += 0.001
        return [float(own) + other for own, other in zip(values, self.other, strict=True)]


def test_ranks_ask_as_seldom_as_keeps_the_cost_below_its_share(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    agreement = Agreement(Slow(clock), share=0.005, step=0)
    asked = []
    for step in range(1, 1001):
        clock.now += 0.010
        if agreement.due(step):
            asked.append(step)
            agreement.ask(step, StopFlag(), save=False, diverged=False)
    assert agreement.every == pytest.approx(20, abs=1)  # 1 ms is 0.5 % of 20 steps of 10 ms
    assert len(asked) * 0.001 / clock.now < 0.006


def test_a_process_alone_asks_at_every_step():
    from chorale.ranks.group import SingleProcess

    agreement = Agreement(SingleProcess(), share=0.005, step=3)
    for step in (4, 5, 6):
        assert agreement.due(step)
        assert agreement.ask(step, StopFlag(), False, False) == (False, False, False)


@pytest.mark.parametrize("reason", ["preempted", "time-limit"])
def test_a_flag_on_another_rank_stops_this_one_for_its_reason(reason):
    other = (1.0, 0.0, 0.0, 0.0, 0.0) if reason == "preempted" else (0.0, 1.0, 0.0, 0.0, 0.0)
    stop = StopFlag()
    agreed = Agreement(Slow(Clock(), other), 0.005, 0).ask(1, stop, False, False)
    assert agreed.stop and stop and stop.reason == reason


def test_only_the_first_ranks_clock_says_when_to_save():
    other = Slow(Clock())
    other.rank = 1
    assert not Agreement(other, 0.005, 0).ask(1, StopFlag(), save=True, diverged=False).save
    assert Agreement(Slow(Clock()), 0.005, 0).ask(1, StopFlag(), save=True, diverged=False).save
