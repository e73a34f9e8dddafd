"""A training of milliseconds that uses every kind of state there is: for tests in one process and in several.

As a program it is one rank of a group: ``python small_training.py SCENARIOS.json RESULTS.json`` carries out scenarios
one after another, so that processes need to be started only once.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from chorale.core.errors import InputError
from chorale.core.seeds import seed_for
from chorale.ranks.backends.base import make_engine
from chorale.ranks.batch_norm import GlobalBatchNorm1d, GlobalBatchNorm2d
from chorale.ranks.config import BackendConfig
from chorale.ranks.group import Group, SingleProcess, open_group
from chorale.runs.context import Context
from chorale.runs.contract import Stage
from chorale.runs.directory import Run
from chorale.runs.events import EventWriter, event_file, read_events
from chorale.runs.placement import Where
from chorale.runs.stopping import StopFlag, StoppedError
from chorale.training.config import CheckpointConfig, LoopConfig
from chorale.training.dropout import SampleDropout, place_samples
from chorale.training.loop import train
from chorale.training.task import slice_of

SEED = 5
BATCH = 7
"""Odd, so that two ranks have slices of different length and a local denominator shows."""
FEATURES, CLASSES, WIDTH = 6, 3, 16
STAGE = "train"
_OWN_EVENTS = ("attempt/", "checkpoint/")


@dataclass(frozen=True)
class Scenario:
    """One training, in as many attempts as ``stops`` has entries.

    Attributes:
        directory: Of its own.
        stops: For each attempt, the step at whose end the last rank's flag is set; None to go to the end.
        backend: Of BackendConfig.
        own_draws: Whether each rank also draws from generators of its own, as plain dropout and plain noise do.
        local: Whether the loss is wrongly divided by the slice's size.
        engines: How many networks are trained side by side.
        images: Whether the network takes the features for an image and convolves it.
        kill: (rank, step): that rank kills itself in that step.
        hang: Likewise, but it stops as SIGSTOP does.
    """

    directory: str
    stops: tuple[int | None, ...] = (None,)
    steps: int = 8
    backend: dict[str, Any] = field(default_factory=dict)
    checkpoint: dict[str, Any] = field(default_factory=dict)
    own_draws: bool = False
    local: bool = False
    engines: int = 1
    images: bool = False
    kill: tuple[int, int] | None = None
    hang: tuple[int, int] | None = None
    log_every: int = 3
    agree_share: float = 0.99
    step_s: float = 0.0
    batch: int = BATCH


class SmallTask:
    """Classify noise around means that rotate with the step; the rate falls by its own state, not by the step."""

    def __init__(self, scenario: Scenario, group: Group, stop: StopFlag, stop_at: int | None) -> None:
        self.scenario, self.group, self.stop, self.stop_at = scenario, group, stop, stop_at
        self.part = slice_of(scenario.batch, group.rank, group.size)
        self.rate = 0.05
        self.fails_at: int | None = None
        self.gradients: dict[str, Tensor] = {}
        backend = BackendConfig(**scenario.backend)
        self.engines = [
            make_engine(
                f"network{number}",
                self._network(number),
                lambda parameters: torch.optim.AdamW(parameters, lr=1.0),
                backend,
                group,
                torch.device("cpu"),
            )
            for number in range(scenario.engines)
        ]

    def _network(self, number: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(number)
            network = _convolutions() if self.scenario.images else _layers(0.2 if self.scenario.own_draws else 0.0)
        place_samples(network, self.part.first)
        return network

    def step(self, step: int) -> dict[str, float]:
        self._misbehave(step)
        self.rate *= 0.97
        inputs, classes = self.samples(step)
        if self.scenario.own_draws:
            inputs = inputs + torch.from_numpy(np.random.normal(size=inputs.shape)).float()
        denominator = len(self.part.samples) * self.group.size if self.scenario.local else self.part.total
        values = {}
        for number, engine in enumerate(self.engines):
            engine.module.train()
            engine.set_rate(self.rate)
            engine.zero_grad()
            with engine.autocast():
                logits = engine.module(inputs)
                loss = nn.functional.cross_entropy(logits, classes, reduction="sum") / denominator
            engine.backward(loss)
            if step == 0:
                self.gradients |= {f"{number}.{name}": value for name, value in engine.gradients().items()}
            engine.step()
            values[f"loss{number}"] = float(loss.detach())
        if self.stop_at == step + 1 and self.group.rank == self.group.size - 1:
            self.stop.set("time-limit")
        time.sleep(self.scenario.step_s)
        return values

    def samples(self, step: int) -> tuple[Tensor, Tensor]:
        rows = []
        for sample in self.part.samples:
            generator = np.random.default_rng(seed_for(SEED, "sample", step, sample))
            rows.append((generator.normal(size=FEATURES), generator.integers(CLASSES)))
        inputs = torch.tensor(np.array([row[0] + row[1] for row in rows]), dtype=torch.float32)
        return inputs, torch.tensor([int(row[1]) for row in rows])

    def gauges(self, step: int) -> dict[str, float]:
        return {"rate": self.rate}

    def evaluate(self, step: int) -> dict[str, float]:
        """Something that draws, too: evaluating must not disturb what follows an interruption."""
        return {"evaluated": random.random()}

    def state(self) -> dict[str, Any]:
        return {"rate": self.rate}

    def restore(self, state: dict[str, Any]) -> None:
        self.rate = state.get("rate", self.rate)

    def _misbehave(self, step: int) -> None:
        if step == self.fails_at:
            raise InputError(f"told to fail before step {step}", "do not")
        for wanted, how in ((self.scenario.kill, signal.SIGKILL), (self.scenario.hang, signal.SIGSTOP)):
            if wanted is not None and tuple(wanted) == (self.group.rank, step):
                os.kill(os.getpid(), how)


def _layers(own_dropout: float) -> nn.Sequential:
    return nn.Sequential(
        # A bias before normalisation has no gradient but rounding, which Adam would blow up.
        nn.Linear(FEATURES, WIDTH, bias=False),
        GlobalBatchNorm1d(WIDTH),
        nn.Tanh(),
        nn.Dropout(own_dropout),
        SampleDropout(0.3),
        nn.Linear(WIDTH, CLASSES),
    )


def _convolutions() -> nn.Sequential:
    return nn.Sequential(
        nn.Unflatten(1, (1, 2, FEATURES // 2)),
        nn.Conv2d(1, WIDTH, 3, padding=1, bias=False),
        GlobalBatchNorm2d(WIDTH),
        nn.Tanh(),
        nn.Conv2d(WIDTH, CLASSES, 3, padding=1, bias=False),
        GlobalBatchNorm2d(CLASSES, affine=False),
        nn.Tanh(),
        SampleDropout(0.3),
        nn.Flatten(),
        nn.Linear(CLASSES * FEATURES, CLASSES),
    )


def context_of(directory: Path, attempt: int, group: Group, stop: StopFlag) -> Context:
    """A stage's context without a launcher."""
    events = EventWriter(event_file(directory / "events", STAGE, 0, attempt, group.rank))
    stage = Stage(name=STAGE, function="none:none")
    return Context(Run(directory), stage, 0, attempt, events, Where(), group, stop)


def carry_out(scenario: Scenario, group: Group | None = None) -> dict[str, Any]:
    """Do all attempts of a scenario and tell how it ended."""
    group = group or SingleProcess()
    directory = Path(scenario.directory)
    stopped: list[str] = []
    gradients: dict[str, Tensor] = {}
    task: SmallTask | None = None
    began = time.monotonic()
    for number, stop_at in enumerate(scenario.stops, start=1):
        stop = StopFlag()
        context = context_of(directory, number, group, stop)
        task = SmallTask(scenario, group, stop, stop_at)
        loop = LoopConfig(
            steps=scenario.steps,
            log_every=scenario.log_every,
            evaluate_every=4,
            checkpoint=CheckpointConfig(**scenario.checkpoint),
            agree_share=scenario.agree_share,
        )
        try:
            train(task, loop, context, SEED)
        except StoppedError as error:
            stopped.append(str(error))
            assert stop and stop.reason == "time-limit"
        gradients = gradients or task.gradients
        context.events.close()
    assert task is not None
    events = read_events(directory / "events", STAGE, 0)
    return {
        "hashes": [engine.parameters_hash() for engine in task.engines],
        "parameters": [{k: v.flatten().tolist() for k, v in engine.full_state().items()} for engine in task.engines],
        "metrics": [(e.step, e.name, e.value) for e in events if not e.name.startswith(_OWN_EVENTS)],
        "first_steps": [int(e.value) for e in events if e.name == "attempt/first_step"],
        "stopped": stopped,
        "gradients": {name: value.flatten().tolist() for name, value in gradients.items()},
        "seconds": time.monotonic() - began,
    }


def main() -> int:
    """Be one rank."""
    scenarios = [Scenario(**tree) for tree in json.loads(Path(sys.argv[1]).read_text())]
    timeout_s = float(os.environ.get("TIMEOUT_S", "60"))
    group = open_group("mpi" if os.environ.get("GROUP") == "mpi" else "ranks", timeout_s)
    results = []
    for scenario in scenarios:
        try:
            results.append(carry_out(replace(scenario, stops=tuple(scenario.stops)), group))
        except Exception as error:
            print(f"FAILED {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
    if group.rank == 0:
        Path(sys.argv[2]).write_text(json.dumps(results))
    group.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
