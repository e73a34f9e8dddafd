"""Images per second of both loops, in turns within one run, and what share of a GPU's rate that is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import torch

from chorale.core.progress import Progress
from chorale.experiments.datafree.bench.card import measure_card
from chorale.experiments.datafree.bench.clock import seconds_of, stats
from chorale.experiments.datafree.bench.work import Work, make_loops
from chorale.ranks.device import set_threads


class Loop(Protocol):
    """What does rounds."""

    @property
    def images_per_round(self) -> int:
        """Images that are generated in a round; each is learnt from once, by the student or by the generator."""

    def round(self) -> tuple[float, float]:
        """Do one round; return the mean of the student's losses and the generator's loss."""


def measure(work: Work, device: torch.device, rounds: int, repeats: int) -> dict[str, Any]:
    """Measure both loops, and on a GPU what it gives.

    Args:
        work: Networks and batch.
        device: Where both compute; on a CPU with one thread.
        rounds: Of each loop in a repeat; one more before all repeats is left out.
        repeats: Each gives a rate of each loop, and their ratio.

    Returns:
        ``turns``, each repeat's images per second by loop and their ratio; ``images_per_s`` and ``ratio``, median and
        extremes over them; ``card``, or None on a CPU.
    """
    load = os.getloadavg()[0]
    with _one_thread():
        loops = make_loops(work, device)._asdict()
        turns = take_turns(loops, device, rounds, repeats)
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU, one thread",
        "clock": "processor time" if device.type == "cpu" else "wall time",
        "torch": torch.__version__,
        "teacher": work.teacher,
        "student": work.student,
        "shape": list(work.shape),
        "batch": work.batch,
        "rounds": rounds,
        "repeats": repeats,
        "images_per_round": {name: loop.images_per_round for name, loop in loops.items()},
        "load_before": round(load, 2),
        "load_after": round(os.getloadavg()[0], 2),
        **summary(turns),
        "card": measure_card(work, device, rounds, repeats) if device.type == "cuda" else None,
    }


def take_turns(loops: Mapping[str, Loop], device: torch.device, rounds: int, repeats: int) -> list[dict[str, float]]:
    """Return images per second of each loop in each repeat.

    The loops take turns at every round, so that whatever else the machine does meets all alike.
    """
    for loop in loops.values():
        loop.round()
    turns = []
    with Progress("datafree", repeats, " repeats") as progress:
        for _ in range(repeats):
            spent_s = dict.fromkeys(loops, 0.0)
            for _ in range(rounds):
                for name, loop in loops.items():
                    spent_s[name] += seconds_of(loop.round, device)
            turns.append({name: rounds * loop.images_per_round / spent_s[name] for name, loop in loops.items()})
            progress.advance()
    return turns


def summary(turns: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Return the repeats, each with its ratio, and median and extremes of rates and ratios over them."""
    told = [{**turn, "ratio": turn["chorale"] / turn["reference"]} for turn in turns]
    return {
        "turns": told,
        "images_per_s": {name: stats([turn[name] for turn in told]) for name in ("chorale", "reference")},
        "ratio": stats([turn["ratio"] for turn in told]),
    }


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    set_threads(1)
    try:
        yield
    finally:
        set_threads(before)
