"""Seconds per round without training, beside other frameworks and bare MPI: all within one run, in turns."""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from chorale.core.progress import Progress
from chorale.experiments.fedtts.bench.programs import FLOWER, Framework, run_framework, run_ranks
from chorale.experiments.fedtts.bench.work import Work, values_of

Stats = dict[str, float]
SWITCHES = {"aggregated": True, "one by one": False}
"""What a rank does with its clients' updates, by the name that it has in tables."""


def measure(work: Work, repeats: int, frameworks: Mapping[Framework, Path]) -> dict[str, Any]:
    """Measure all in turns, so that whatever else the machine does meets all alike.

    Args:
        work: Model, clients, ranks and rounds.
        repeats: Turns.
        frameworks: The other frameworks, with their environments' Pythons.

    Returns:
        ``chorale`` by switch and ``others`` by framework, each with seconds per round; ratios to Flower's within a
        turn; the share of MPI's own bandwidth.

    Raises:
        WorkError: A program failed.
    """
    own: dict[str, list[dict[str, Any]]] = {name: [] for name in SWITCHES}
    others: dict[Framework, list[dict[str, Any]]] = {framework: [] for framework in frameworks}
    load = os.getloadavg()[0]
    with (
        tempfile.TemporaryDirectory(prefix="chorale-bench-") as folder,
        Progress("federation", repeats * (len(own) + len(others)), " measurements") as progress,
    ):
        path, result = Path(folder) / "work.json", Path(folder) / "result.json"
        for turn in range(repeats):
            done = turn * (len(own) + len(others))
            for name, adds_up in SWITCHES.items():
                replace(work, aggregate_in_rank=adds_up).write(path)
                own[name].append(run_ranks(path, result, work.ranks))
                progress.update(done := done + 1)
            for framework, python in frameworks.items():
                # One more where one only serves.
                ranks = work.ranks + framework.over_mpi
                others[framework].append(run_framework(framework, python, path, result, ranks))
                progress.update(done := done + 1)
    measured: dict[str, Any] = {
        "parameters": values_of(work.shapes),
        "clients": work.clients,
        "ranks": work.ranks,
        "rounds": work.rounds,
        "repeats": repeats,
        "load_before": round(load, 2),
        "load_after": round(os.getloadavg()[0], 2),
        "chorale": {name: own_row(turns) for name, turns in own.items()},
        "others": {
            framework.name: {
                "title": framework.title,
                "version": turns[-1]["version"],
                "round_s": stats(per_turn(turns, "round_s")),
            }
            for framework, turns in others.items()
        },
    }
    for framework, turns in others.items():
        theirs = per_turn(turns, "round_s")
        for name, ours in own.items():
            faster = [their / our for their, our in zip(theirs, per_turn(ours, "round_s"), strict=True)]
            measured["chorale"][name].setdefault("times_faster_than", {})[framework.name] = stats(faster)
    return measured


def own_row(turns: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what is told of one switch: seconds of a round and of its parts, and how they compare with MPI alone."""
    parts = ("round", "codec", "mpi", "waiting", "exchange")
    row: dict[str, Any] = {f"{part}_s": stats(per_turn(turns, f"{part}_s")) for part in parts}
    row["message_bytes"] = turns[-1]["message_bytes"]
    row["mpi_bytes_per_s"] = stats([turn["message_bytes"] / statistics.median(turn["exchange_s"]) for turn in turns])
    row["share_of_mpi"] = stats([share_of_mpi(turn) for turn in turns])
    return row


def share_of_mpi(turn: Mapping[str, Any]) -> float:
    """Return the bandwidth of a round's transfers, relative to that of MPI alone with the same buffers.

    The bytes are the same, so it is MPI's median seconds divided by those that the server spends in transfers.
    """
    return float(statistics.median(turn["exchange_s"]) / statistics.median(turn["mpi_s"]))


def per_turn(turns: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    """Return each turn's median."""
    return [statistics.median(turn[name]) for turn in turns]


def stats(values: Sequence[float]) -> Stats:
    """Return median, least and largest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def flower_ratio(measured: Mapping[str, Any]) -> float | None:
    """Return how many times faster than Flower a round is in the median; None if Flower was not measured."""
    found = measured["chorale"]["aggregated"].get("times_faster_than", {}).get(FLOWER.name)
    return None if found is None else float(found["median"])
