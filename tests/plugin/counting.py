"""An experiment of somebody else's: squares numbers generation by generation, and fails, dies or dawdles as it is told.

It lives outside the package and is found through its entry point, as any other experiment that is installed.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from chorale.core.errors import InputError
from chorale.core.files import write_text
from chorale.ranks.environment import host_name
from chorale.runs.context import Context
from chorale.runs.contract import Experiment, ExperimentConfig, Outcome, Resources, Stage
from chorale.runs.directory import Run
from chorale.runs.items import State
from chorale.runs.parts import Part, Table, Text
from chorale.runs.stopping import StoppedError

SLICE_S = 0.05


class CountingConfig(ExperimentConfig):
    numbers: int = Field(4, ge=1)
    generations: int = Field(2, ge=1)
    seconds: float = Field(0.0, ge=0)
    fail_at: int | None = None
    bad_input_at: int | None = None
    die_at: int | None = None
    fill_memory_at: int | None = None
    break_at: int | None = None
    meet: Literal["ranks", "mpi"] | None = None
    nodes: int = 2
    intolerant: bool = False


def _generation(number: int, config: CountingConfig) -> list[Stage]:
    squares = Stage(
        name=f"squares-{number}",
        function=square,
        kind="array",
        items=tuple(range(number * config.numbers, (number + 1) * config.numbers)),
        tolerant=not config.intolerant,
        needs=(f"next-{number - 1}",) if number else (),
    )
    return [squares, Stage(name=f"next-{number}", function=next_generation, items=(number,), needs=(squares.name,))]


def square(context: Context, config: CountingConfig) -> Outcome:
    _dawdle(context, config.seconds)
    if context.item == config.fail_at:
        raise ValueError("told to fail")
    if context.item == config.bad_input_at:
        raise InputError(f"number {context.item}: told to be wrong", "choose another")
    if context.item == config.die_at:
        os.kill(os.getpid(), signal.SIGKILL)
    if context.item == config.fill_memory_at:
        filled = bytearray(os.urandom(1 << 20) * 600)
        time.sleep(60)
        raise ValueError(f"survived with {len(filled)} bytes")
    if context.item == config.break_at:
        breakpoint()
    context.log(1, square=context.item**2)
    return Outcome(result=context.item**2)


def _dawdle(context: Context, seconds: float) -> None:
    """Sleep in slices, log each, and when asked to stop keep how many are done, as a training keeps its step."""
    progress = context.checkpoints / "slices"
    done = int(progress.read_text()) if progress.exists() else 0
    for slice_number in range(done, round(seconds / SLICE_S)):
        if context.stop:
            write_text(progress, str(slice_number))
            raise StoppedError(f"saved after {slice_number} slices")
        time.sleep(SLICE_S)
        context.log(slice_number, slice=slice_number)


def next_generation(context: Context, config: CountingConfig) -> Outcome:
    following = context.item + 1
    if following < config.generations:
        return Outcome(stages=_generation(following, config))
    return Outcome(stages=[Stage(name="total", function=total, needs=(f"next-{context.item}",))])


def meet(context: Context, config: CountingConfig) -> Outcome:
    ranks = context.ranks
    seed = ranks.broadcast(config.seed + ranks.rank)
    hosts = ranks.gather(host_name())
    return Outcome(result={"size": ranks.size, "hosts": hosts, "sum": sum(ranks.gather(ranks.rank)), "seed": seed})


def total(context: Context, config: CountingConfig) -> Outcome:
    records = [r for number in range(config.generations) for r in context.records(f"squares-{number}")]
    return Outcome(result={"total": sum(int(r.result) for r in records if r.state is State.DONE)})


class Counting(Experiment[CountingConfig]):
    name = "counting"
    summary = "Squares numbers."
    final_stage = "total"
    config_class = CountingConfig

    def stages(self, config: CountingConfig) -> Sequence[Stage]:
        stages = _generation(0, config)
        if config.meet is not None:
            stages.append(Stage(name="meet", function=meet, kind=config.meet, resources=Resources(nodes=config.nodes)))
        return stages

    def report(self, run: Run, config: CountingConfig) -> Sequence[Part]:
        stages = run.stages()
        rows = [(name, sum(r.state is State.DONE for r in run.items(stage))) for name, stage in stages.items()]
        return [Text("What it does", "Squares numbers."), Table("Stages", ("stage", "done"), rows)]
