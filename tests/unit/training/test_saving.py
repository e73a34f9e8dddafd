import itertools
import os
import signal
import threading
import time

import numpy as np
import pytest
import torch
from small_training import SEED, STAGE, Scenario, SmallTask, carry_out, context_of

from chorale.core.errors import InputError, WorkError
from chorale.ranks.config import BackendConfig
from chorale.ranks.group import SingleProcess
from chorale.runs.events import read_events
from chorale.runs.items import SupersededError
from chorale.runs.stopping import StopFlag, StoppedError
from chorale.training.config import CheckpointConfig, LoopConfig
from chorale.training.draws import random_state, restore_random_state, seed_everything
from chorale.training.loop import train

pytestmark = pytest.mark.unit


def begin(directory, stop=None, checkpoint=None, steps=8, step_s=0.0, **changes):
    # A flag that is not set is false, as is none.
    stop = StopFlag() if stop is None else stop
    scenario = Scenario(str(directory), steps=steps, step_s=step_s)
    task = SmallTask(scenario, SingleProcess(), stop, None)
    context = context_of(directory, 1, SingleProcess(), stop)
    for name, value in changes.items():
        object.__setattr__(context, name, value)
    train(task, LoopConfig(steps=steps, log_every=1, checkpoint=checkpoint or CheckpointConfig()), context, SEED)


def events(directory, name):
    return [(event.step, event.value) for event in read_events(directory / "events", STAGE, 0) if event.name == name]


def test_a_signal_is_followed_by_a_checkpoint_of_the_step_it_came_in(tmp_path):
    stop, seen = StopFlag(), []

    def handler(number, frame):
        stop.set("preempted")
        seen.append((time.monotonic(), events(tmp_path, "rate")[-1][0]))

    before = signal.signal(signal.SIGTERM, handler)

    def warn_once_it_trains():
        while not events(tmp_path, "rate"):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=warn_once_it_trains, daemon=True).start()
    try:
        with pytest.raises(StoppedError) as stopped:
            begin(tmp_path, stop, steps=1_000, step_s=0.01)
    finally:
        signal.signal(signal.SIGTERM, before)
    signalled, step = seen[0]
    (saved,) = (tmp_path / "checkpoints" / STAGE / "000000").iterdir()
    assert int(saved.name.removeprefix("step-")) - step <= 1
    assert time.monotonic() - signalled < 5.0
    assert stopped.value.exit_status == 75


def test_the_seconds_of_a_save_are_an_event_and_too_short_a_lead_a_warning_with_a_remedy(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("CHORALE_SIGNAL_LEAD_S", "0.0001")
    begin(tmp_path, checkpoint=CheckpointConfig(every_steps=2))
    seconds = events(tmp_path, "checkpoint/seconds")
    assert [step for step, _ in seconds] == [2, 4, 6, 8]
    assert all(0 < value < 1 for _, value in seconds)
    assert len(caplog.records) == 1 and "--signal=USR2@" in caplog.text


def test_a_lead_that_is_long_enough_is_no_warning(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("CHORALE_SIGNAL_LEAD_S", "120")
    begin(tmp_path)
    assert not caplog.records


def test_checkpoints_come_by_the_clock_too(tmp_path):
    begin(tmp_path, checkpoint=CheckpointConfig(every_s=0.15), step_s=0.05)
    saved = [e for e in read_events(tmp_path / "events", STAGE, 0) if e.name == "checkpoint/seconds"]
    gaps = [after.time_s - before.time_s for before, after in itertools.pairwise(saved[:-1])]
    assert len(saved) >= 2 and saved[-1].step == 8
    # However slow the machine is; the last one comes at the end, and not by the clock.
    assert all(gap >= 0.14 for gap in gaps)


def test_an_attempt_that_was_overtaken_saves_nothing(tmp_path):
    def taken():
        raise SupersededError("attempt 2 has taken over")

    with pytest.raises(SupersededError):
        begin(tmp_path, still_ours=taken)
    assert not list(tmp_path.glob("checkpoints/*/*/step-*"))


def test_a_value_that_is_not_finite_ends_the_training_and_is_never_saved(tmp_path, monkeypatch):
    honest = SmallTask.step
    monkeypatch.setattr(
        SmallTask, "step", lambda task, step: {**honest(task, step), "extra": np.nan if step == 4 else 0}
    )
    with pytest.raises(WorkError, match="the extra is nan at step 5 of 8"):
        begin(tmp_path, checkpoint=CheckpointConfig(every_steps=1, keep_last=99))
    assert len(list(tmp_path.glob("checkpoints/*/*/step-*"))) == 4


def test_the_random_state_of_every_library_goes_to_a_file_and_back(tmp_path):
    import random

    def draw():
        return random.random(), random.gauss(0, 1), np.random.normal(), float(torch.rand(()))

    seed_everything(3, rank=1)
    draw()
    torch.save(random_state(), tmp_path / "state.pt")
    expected = [draw() for _ in range(3)]
    seed_everything(4, rank=0)
    restore_random_state(torch.load(tmp_path / "state.pt", weights_only=True))
    assert [draw() for _ in range(3)] == expected


def test_ranks_share_pythons_draws_and_have_their_own_of_the_others():
    import random

    drawn = []
    for rank in (0, 1):
        seed_everything(3, rank)
        drawn.append((random.random(), np.random.normal(), float(torch.rand(()))))
    (shared, numpy, own), (shared_too, numpy_too, own_too) = drawn
    assert shared == shared_too and numpy != numpy_too and own != own_too


def test_bf16_computes_otherwise_and_keeps_parameters_in_fp32(tmp_path):
    coarse = carry_out(Scenario(str(tmp_path / "1"), backend={"precision": "bf16"}))
    exact = carry_out(Scenario(str(tmp_path / "2")))
    differences = [abs(a[2] - b[2]) for a, b in zip(coarse["metrics"], exact["metrics"], strict=True)]
    assert 0 < max(differences) < 0.1


def test_several_processes_wished_for_with_a_backend_of_one_are_refused():
    with pytest.raises(ValueError, match="single is one process"):
        BackendConfig(kind="single", nodes=2)
    group = SingleProcess()
    group.size = 2
    with pytest.raises(InputError, match="single is one process, and 2 were started"):
        SmallTask(Scenario("none"), group, StopFlag(), None)
