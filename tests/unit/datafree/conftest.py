"""Distillations in the plane that take seconds, and a loop that carries their stages out in this process."""

from dataclasses import replace

import pytest

from chorale.core.config import ConfigTree, validate
from chorale.experiments.datafree.config import DatafreeConfig
from chorale.experiments.datafree.experiment import Datafree
from chorale.launch.execution import execute
from chorale.runs.context import Context
from chorale.runs.directory import open_or_create
from chorale.runs.events import EventWriter, event_file


def plane_config(directory, **changes):
    """A distillation of ten rounds in the plane."""
    values = {
        "corpus": None,
        "moons": {"train": 200, "test": 100},
        "teacher": {"network": "mlp", "steps": 60, "batch": 32, "rate": 0.05, "warmup_steps": 5, "weight_decay": 0.0},
        "student": {"network": "mlp-half", "rate": 0.02},
        "generator": {"network": "mlp", "width": 16, "latent": 4},
        "schedule": {"queries": 1920, "batch": 32, "evaluations": 5, "log_every": 2},
        "collapse": {"action": "ignore"},
        "where": {"runs": str(directory / "runs"), "cache": str(directory / "cache"), "device": "cpu"},
    }
    for key, value in changes.items():
        values[key] = {**(values.get(key) or {}), **value} if isinstance(value, dict) else value
    return validate(DatafreeConfig, ConfigTree(values, {}))


def begin(config):
    """Make the run and declare its stages."""
    run = open_or_create(config, "test")
    run.declare(Datafree().stages(config))
    return run


def carry_out(run, *names):
    """Do every item of some stages, in order; of all if none are named."""
    stages = run.stages()
    for name in names or (name for name in ("teacher", "distil", "arms", "summary") if name in stages):
        for index in range(len(stages[name].items)):
            execute(run, stages[name], index)
    return run


def stage_context(run, name, index, attempt, stop=None):
    """Return an attempt at one item."""
    events = EventWriter(event_file(run.events, name, index, attempt, 0))
    context = Context(run, run.stages()[name], index, attempt, events, run.config.where)
    return context if stop is None else replace(context, stop=stop)


@pytest.fixture
def tools():
    """What tests of whole runs need."""
    return {"config": plane_config, "begin": begin, "carry_out": carry_out, "context": stage_context}
