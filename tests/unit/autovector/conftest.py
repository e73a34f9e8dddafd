"""A search small enough for a test, on made-up voices, and a loop that carries its stages out in this process."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from chorale.core.config import ConfigTree, validate
from chorale.core.errors import ChoraleError, InputError
from chorale.experiments.autovector.config import AutovectorConfig
from chorale.experiments.autovector.experiment import Autovector
from chorale.runs.context import Context
from chorale.runs.contract import Outcome
from chorale.runs.directory import Run, open_or_create
from chorale.runs.events import EventWriter, event_file
from chorale.runs.items import Failure, State, claim

RATE_HZ = 16000


@pytest.fixture(scope="session")
def voices(tmp_path_factory):
    """A folder per speaker: buzzes of a pitch and a colour of the speaker's own."""
    root = tmp_path_factory.mktemp("voices")
    generator = np.random.default_rng(0)
    time_s = np.arange(int(0.8 * RATE_HZ)) / RATE_HZ
    for speaker in range(8):
        (root / f"speaker{speaker}").mkdir()
        for number in range(5):
            pitch = 90 + 25 * speaker + generator.normal(0, 3)
            partials = [
                np.sin(2 * np.pi * pitch * k * time_s) * np.exp(-((k - 2 - speaker) ** 2) / 9) for k in range(1, 30)
            ]
            sound = 0.05 * np.sum(partials, axis=0) + 0.002 * generator.normal(size=len(time_s))
            soundfile.write(root / f"speaker{speaker}" / f"{number}.wav", sound, RATE_HZ)
    return root


def search_config(voices: Path, directory: Path, **changes) -> AutovectorConfig:
    """A search of a few seconds."""
    values = {
        "corpus": {"layout": "folder", "root": str(voices)},
        "shard_utterances": 16,
        "space": {"width_multiplier": 0.03},
        "recipe": {"steps": 4, "batch": 6, "chunk_frames": [20, 30], "warmup_steps": 1, "rate": 0.003, "log_every": 2},
        "search": {"population": 3, "generations": 2, "children": 2, "tournament": 2, "random_budget": 3},
        "finalists": {"seeds": 3, "steps": 6},
        "evaluation": {"bootstrap": 100},
        "where": {"runs": str(directory / "runs"), "cache": str(directory / "cache"), "device": "cpu"},
    }
    for key, value in changes.items():
        values[key] = {**values.get(key, {}), **value} if isinstance(value, dict) else value
    return validate(AutovectorConfig, ConfigTree(values, {}))


def begin(config: AutovectorConfig) -> Run:
    """Make the run and declare the stages known from the start."""
    run = open_or_create(config, "test")
    experiment = Autovector()
    experiment.prepare(config)
    run.declare(experiment.stages(config))
    return run


def carry_out(run: Run, until: str = "") -> Run:
    """Do every item whose stage may run, until nothing is left or the stage ``until`` may run."""
    while True:
        stages = run.stages()
        records = {name: run.items(stage) for name, stage in stages.items()}
        done = {
            name
            for name, stage in stages.items()
            if all(r.state is State.DONE or (stage.tolerant and r.state.ended) for r in records[name])
        }
        ready = [stage for name, stage in stages.items() if name not in done and set(stage.needs) <= done]
        ready = [stage for stage in ready if not any(r.state is State.FAILED for r in records[stage.name])]
        if not ready or ready[0].name == until:
            return run
        for index in range(len(ready[0].items)):
            do_item(run, ready[0].name, index)


def do_item(run: Run, name: str, index: int) -> None:
    """Carry out one item, as a launcher does."""
    stage = run.stages()[name]
    claimed = claim(run.stage_directory(name), index)
    if claimed is None:
        return
    events = EventWriter(event_file(run.events, name, index, claimed.record.attempt, 0))
    context = Context(run, stage, index, claimed.record.attempt, events, run.config.where)
    try:
        outcome = stage.load()(context, run.config) or Outcome()
        run.declare(outcome.stages)
        claimed.finish(outcome.result)
    except ChoraleError as error:
        claimed.fail(Failure.INPUT if isinstance(error, InputError) else Failure.ERROR, str(error))
    finally:
        events.close()


@pytest.fixture(scope="session")
def finished(voices, tmp_path_factory):
    """A search carried out to its end."""
    return carry_out(begin(search_config(voices, tmp_path_factory.mktemp("finished"))))


@pytest.fixture
def tools():
    """Functions of this file, for tests."""
    return {"config": search_config, "begin": begin, "carry_out": carry_out}
