"""Tables of the report: the final comparison, what failed, every candidate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chorale.experiments.autovector.config import AutovectorConfig
from chorale.experiments.autovector.genome import describe
from chorale.experiments.autovector.metrics import dcf_name
from chorale.experiments.autovector.results import Candidate
from chorale.runs.items import State
from chorale.runs.parts import Cell, Table


def final_table(summary: dict[str, Any], config: AutovectorConfig) -> Table:
    """Return the comparison of the finalists on the test trials."""
    costs = [dcf_name(p) for p in config.evaluation.p_targets]
    rows: list[list[Cell]] = []
    for row in summary["rows"]:
        deviation = row["eer_deviation"]
        rows.append(
            [
                row["network"],
                round(100 * row["eer"], 2),
                f"{100 * row['eer_low']:.2f} to {100 * row['eer_high']:.2f}",
                None if deviation is None else round(100 * deviation, 2),
                *(round(row[cost], 3) for cost in costs),
                row["parameters"],
                row["macs"],
                round(row["seconds"], 1),
                row["trainings"],
                describe(row["genome"]),
            ]
        )
    columns = [
        "network",
        "EER / %",
        "95 % interval / %",
        "deviation over seeds / points",
        *(f"minDCF p={p:g}" for p in config.evaluation.p_targets),
        "parameters",
        f"MACs ({config.evaluation.mac_frames} frames)",
        "training / s",
        "trainings",
        "layers (kernel/dilation x width, + skips), pooling, embedding",
    ]
    note = (
        "Test trials; mean over trainings from scratch. The interval draws speakers again (bootstrap); the deviation "
        f"is that of training. minDCF is normalised, costs 1. Widths times {config.space.width_multiplier:g}. "
        "x-vector is Kaldi's, trained and scored by the same recipe."
    )
    return Table("Final comparison", columns, rows, note)


def failures(known: Sequence[Candidate]) -> Table:
    """Return the candidates that failed, and why."""
    rows: list[list[Cell]] = [
        [
            candidate.arm,
            candidate.individual.number,
            candidate.record.failure.value if candidate.record.failure else candidate.record.state.value,
            candidate.record.message,
            candidate.record.host,
            candidate.record.attempt,
            describe(candidate.individual.genome),
        ]
        for candidate in known
        if candidate.record.state in (State.FAILED, State.CANCELLED)
    ]
    columns = ["search", "candidate", "failure", "reason", "host", "attempts", "network"]
    note = "They count as the worst fitness." if rows else "None failed."
    return Table("Failed candidates", columns, rows, note)


def all_candidates(known: Sequence[Candidate], config: AutovectorConfig) -> Table:
    """Return every candidate declared so far, with the fittest set off."""
    costs = [dcf_name(p) for p in config.evaluation.p_targets]
    rows: list[list[Cell]] = []
    for candidate in known:
        individual, record, result = candidate.individual, candidate.record, candidate.result or {}
        eer = result.get("eer")
        rows.append(
            [
                candidate.arm,
                individual.number,
                individual.generation,
                individual.parent,
                individual.origin,
                record.state.value,
                None if eer is None else round(100 * eer, 2),
                *(None if cost not in result else round(result[cost], 3) for cost in costs),
                result.get("parameters"),
                result.get("macs"),
                None if "seconds" not in result else round(result["seconds"], 1),
                result.get("source"),
                record.host,
                describe(individual.genome),
            ]
        )
    columns = [
        "search",
        "candidate",
        "generation",
        "parent",
        "origin",
        "state",
        "EER / %",
        *(f"minDCF p={p:g}" for p in config.evaluation.p_targets),
        "parameters",
        f"MACs ({config.evaluation.mac_frames} frames)",
        "training / s",
        "source",
        "host",
        "network",
    ]
    best = [row for row, candidate in enumerate(known) if candidate.individual.fitness is not None]
    best.sort(key=lambda row: known[row].individual.fitness or 0.0)
    return Table("Candidates", columns, rows, "EER on search-dev trials.", highlight=best[:1])
