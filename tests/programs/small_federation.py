"""A federation of milliseconds: each client pulls the tensors towards a point of its own.

As a program it is one MPI rank: ``mpirun -n 4 python small_federation.py SCENARIOS.json RESULTS.json`` carries out
scenarios one after another, so that processes need to be started only once.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chorale.core.seeds import seed_for
from chorale.experiments.fedtts.config.federation import FederationConfig
from chorale.experiments.fedtts.federation.ledger import COLUMNS, Ledger
from chorale.experiments.fedtts.federation.rounds import Federation, run_rounds
from chorale.experiments.fedtts.federation.trainer import ClientResult, ClientWork, Schedule
from chorale.experiments.fedtts.network.naming import Depth, names_at
from chorale.ranks.group import Group, SingleProcess, open_group
from chorale.runs.context import Context
from chorale.runs.contract import Stage
from chorale.runs.directory import Run
from chorale.runs.events import EventWriter, event_file, read_events
from chorale.runs.placement import Where
from chorale.runs.stopping import StopFlag, StoppedError
from chorale.training.config import CheckpointConfig

STAGE = "federation"
SHAPES: dict[str, tuple[int, ...]] = {
    "embedding.weight": (5, 4),
    "encoder.scale": (),
    "encoder.layers.0.weight": (6, 4),
    "encoder.layers.0.bias": (6,),
    "encoder.layers.1.weight": (6, 4),
    "encoder.layers.1.bias": (6,),
    "decoder.layers.0.weight": (3, 2, 4),
    "decoder.layers.1.weight": (3, 2, 4),
    "output.bias": (7,),
}
SHALLOW, DEEP = Depth((0,), (0,)), Depth((0, 1), (0, 1))
GROWS_AT = 2
"""Round in which the small network becomes the large one; in it the new layers alone are trained."""
_NOT_COMPARED = ("time/", "attempt/", "checkpoint/")


class KilledError(Exception):
    """Stands in for a kill where ranks are threads."""


@dataclass(frozen=True)
class Scenario:
    """One federation, in as many attempts as ``stops`` has entries.

    Attributes:
        directory: Of its own.
        config: Of FederationConfig.
        stops: For each attempt, the round in which the last rank's flag is set; None to go to the end.
        growth: ``none``, ``grow`` or ``random``.
        kill: (rank, round): that rank dies after its first client of that round, in the first attempt.
        how: ``kill``, ``stop`` (falls silent) or ``raise``.
        noise_values: Above 0: instead of training, clients send so many values of noise.
        every_rounds: Between two checkpoints.
        steps: Of a client's optimizer.
        timeout_s: Of a rank's silence.
        first_attempt: Those before it were done by others.
    """

    directory: str
    config: dict[str, Any] = field(default_factory=dict)
    stops: tuple[int | None, ...] = (None,)
    growth: str = "none"
    kill: tuple[int, int] | None = None
    how: str = "raise"
    noise_values: int = 0
    every_rounds: int | None = 1
    steps: int = 2
    timeout_s: float = 60.0
    first_attempt: int = 1


class QuadraticTrainer:
    """``|x - target|^2 / 2`` for each client, by plain gradient descent in single precision."""

    def __init__(self, clients: int, steps: int, disturb: Callable[[ClientWork], None] = lambda work: None) -> None:
        self.clients, self.steps, self.disturb = clients, steps, disturb

    def sizes(self) -> Sequence[int]:
        return [100 + 37 * (client % 5) for client in range(self.clients)]

    def target(self, client: int, name: str, shape: tuple[int, ...]) -> np.ndarray:
        generator = np.random.Generator(np.random.Philox(seed_for("target", client, name)))
        return np.asarray(generator.standard_normal(shape), np.float32)

    def train(self, work: ClientWork) -> ClientResult:
        began = time.perf_counter()
        loss = 0.0
        delta = {}
        for name in sorted(work.trainable):
            before = work.tensors[name]
            x, target = before.copy(), self.target(work.client, name, before.shape)
            for _ in range(self.steps):
                gradient = x - target + np.float32(work.mu) * (x - before)
                loss += float(np.square(x - target).sum())
                if work.correction is not None:
                    gradient = gradient + work.correction[name]
                x = np.asarray(x - np.float32(work.rate) * gradient, np.float32)
            delta[name] = np.asarray(x - before, np.float32)
        self.disturb(work)
        frames = self.sizes()[work.client] * self.steps
        return ClientResult(delta, frames, {"loss": loss}, self.steps, time.perf_counter() - began)

    def evaluate(self, tensors: Mapping[str, np.ndarray], depth: Depth) -> Mapping[str, float]:
        assert set(tensors) == set(names_at(tensors, depth))
        losses = [
            float(np.square(value - self.target(client, name, value.shape)).sum())
            for client in range(min(self.clients, 20))
            for name, value in tensors.items()
        ]
        return {"loss": sum(losses)}


class NoiseTrainer(QuadraticTrainer):
    """Sends noise instead of training."""

    def train(self, work: ClientWork) -> ClientResult:
        generator = np.random.Generator(np.random.Philox(seed_for("noise", work.round, work.client)))
        delta = {
            name: generator.standard_normal(work.tensors[name].shape, np.float32) for name in sorted(work.trainable)
        }
        return ClientResult(delta, 100, {"loss": 1.0}, 1, 0.0)


def depth_at(growth: str, round_: int) -> Depth:
    if growth == "grow":
        return SHALLOW if round_ < GROWS_AT else DEEP
    if growth == "random":
        return DEEP if seed_for("depth", round_) % 2 else SHALLOW
    return DEEP


def initial(names: Sequence[str]) -> dict[str, np.ndarray]:
    return {name: np.full(SHAPES[name], 0.1 * (1 + len(name) % 7), np.float32) for name in names}


def schedule_of(growth: str, names: Sequence[str]) -> Schedule:
    def grow(tensors: Mapping[str, np.ndarray], before: Depth, after: Depth) -> dict[str, np.ndarray]:
        return {**tensors, **initial([name for name in names_at(names, after) if name not in tensors])}

    def trainable_at(round_: int, depth: Depth) -> frozenset[str]:
        found = names_at(names, depth)
        if growth == "grow" and round_ == GROWS_AT:
            found = [name for name in found if ".layers.1." in name]
        return frozenset(found)

    return Schedule(
        depth_at=lambda round_: depth_at(growth, round_),
        grow=grow,
        trainable_at=trainable_at,
        rate_at=lambda round_: 0.1 / (1 + 0.1 * round_),
        cost_at=lambda depth: 0.5 if depth == SHALLOW else 1.0,
    )


def federation_of(scenario: Scenario, disturb: Callable[[ClientWork], None] = lambda work: None) -> Federation:
    config = FederationConfig(**scenario.config)
    checkpoint = CheckpointConfig(every_steps=scenario.every_rounds, every_s=None)
    if scenario.noise_values:
        shapes = {"output.weight": (8, scenario.noise_values // 8)}
        begin = {"output.weight": np.zeros(shapes["output.weight"], np.float32)}
        trainer: QuadraticTrainer = NoiseTrainer(config.clients, 1, disturb)
    else:
        shapes = SHAPES
        held = SHAPES if scenario.growth == "random" else names_at(SHAPES, depth_at(scenario.growth, 0))
        begin = initial(list(held))
        trainer = QuadraticTrainer(config.clients, scenario.steps, disturb)
    return Federation(config, checkpoint, 11, trainer, schedule_of(scenario.growth, list(shapes)), shapes, begin)


def context_of(directory: Path, attempt: int, group: Group, stop: StopFlag, timeout_s: float = 60.0) -> Context:
    events = EventWriter(event_file(directory / "events", STAGE, 0, attempt, group.rank))
    stage = Stage(name=STAGE, function="none:none")
    return Context(Run(directory), stage, 0, attempt, events, Where(timeout_s=timeout_s), group, stop)


def disturbing(scenario: Scenario, group: Group, attempt: int, stop: StopFlag) -> Callable[[ClientWork], None]:
    stop_at = scenario.stops[attempt - 1]

    def disturb(work: ClientWork) -> None:
        if group.rank == group.size - 1 and work.round == stop_at:
            stop.set("time-limit")
        if attempt == 1 and scenario.kill is not None and tuple(scenario.kill) == (group.rank, work.round):
            if scenario.how == "raise":
                raise KilledError(f"rank {group.rank} in round {work.round}")
            os.kill(os.getpid(), signal.SIGKILL if scenario.how == "kill" else signal.SIGSTOP)

    return disturb


def attempt_at(scenario: Scenario, attempt: int, group: Group, channel: Any = None) -> Any:
    """One attempt on one rank; returns what ``run_rounds`` does, or the error that asks to go on."""
    stop = StopFlag()
    context = context_of(Path(scenario.directory), attempt, group, stop, scenario.timeout_s)
    federation = federation_of(scenario, disturbing(scenario, group, attempt, stop))
    try:
        return run_rounds(federation, context, channel)
    except StoppedError as error:
        assert stop.reason == "time-limit"
        return error
    finally:
        context.events.close()


def rows(ledger: Ledger, physical: bool) -> list[tuple[Any, ...]]:
    return [
        row
        for table in ledger.tables(physical=physical)
        for row in zip(*(table[name].tolist() for name in COLUMNS), strict=True)
    ]


def told(scenario: Scenario, ended: Any) -> dict[str, Any]:
    """What is compared: everything but measured times."""
    events = read_events(Path(scenario.directory) / "events", STAGE, 0)
    digest = hashlib.sha256()
    for name, value in ended.tensors.items():
        digest.update(name.encode() + value.tobytes())
    return {
        "hash": digest.hexdigest(),
        "metrics": [[e.step, e.name, e.value] for e in events if not e.name.startswith(_NOT_COMPARED)],
        "logical": [list(row) for row in rows(ended.ledger, physical=False)],
        "physical": [list(row) for row in rows(ended.ledger, physical=True)],
        "first_steps": [int(e.value) for e in events if e.name == "attempt/first_step"],
        "mpi_s": sum(e.value for e in events if e.name == "time/mpi"),
    }


def carry_out(scenario: Scenario, group: Group | None = None) -> dict[str, Any] | None:
    """Do all attempts of a scenario that are to be done by this group; None on ranks beside the server's."""
    group = group or SingleProcess()
    began = time.monotonic()
    ended: Any = None
    for attempt in range(scenario.first_attempt, len(scenario.stops) + 1):
        ended = attempt_at(scenario, attempt, group)
    if group.rank:
        return None
    if isinstance(ended, StoppedError):
        return {"stopped": str(ended)}
    return {**told(scenario, ended), "seconds": time.monotonic() - began}


def main() -> int:
    """Be one rank."""
    scenarios = [Scenario(**tree) for tree in json.loads(Path(sys.argv[1]).read_text())]
    group = open_group("mpi")
    results = []
    for scenario in scenarios:
        try:
            results.append(carry_out(scenario, group))
        except Exception as error:
            print(f"FAILED rank {group.rank}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            raise
    if group.rank == 0:
        Path(sys.argv[2]).write_text(json.dumps(results))
    return 0


def as_json(scenarios: Sequence[Scenario]) -> str:
    return json.dumps([asdict(scenario) for scenario in scenarios])


if __name__ == "__main__":
    raise SystemExit(main())
