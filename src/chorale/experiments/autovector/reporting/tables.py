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
    """Return the comparison of the finalists on the test trials, narrow enough for a terminal."""
    costs = [dcf_name(p) for p in config.evaluation.p_targets]
    rows: list[list[Cell]] = [
        [
            row["network"],
            round(100 * row["eer"], 2),
            f"{100 * row['eer_low']:.1f}-{100 * row['eer_high']:.1f}",
            *(round(row[cost], 3) for cost in costs),
            round(row["parameters"] / 1e3, 1),
            round(row["macs"] / 1e6, 2),
            round(row["seconds"], 1),
        ]
        for row in summary["rows"]
    ]
    columns = [
        "network",
        "EER / %",
        "95 % interval",
        *(f"minDCF p={p:g}" for p in config.evaluation.p_targets),
        "params / k",
        f"MMACs at {config.evaluation.mac_frames} frames",
        "train / s",
    ]
    note = (
        f"Trainings: {summary['executed']} executed, {summary['cached']} taken from the cache, "
        f"{summary['failed']} failed. Test trials; mean over trainings from scratch. The interval draws speakers again "
        "(bootstrap). minDCF is normalised, costs 1. The x-vector is Kaldi's, trained and scored by the same recipe."
    )
    return Table("Final comparison", columns, rows, note)


def finalists_table(summary: dict[str, Any], config: AutovectorConfig) -> Table:
    """Return what the finalists are, and how each of their trainings ended."""
    rows: list[list[Cell]] = [
        [
            row["network"],
            describe(row["genome"]),
            ", ".join(f"{100 * error:.2f}" for error in row["eer_each"]),
            None if row["eer_deviation"] is None else round(100 * row["eer_deviation"], 2),
            row["parameters"],
            row["macs"],
        ]
        for row in summary["rows"]
    ]
    columns = [
        "network",
        "layers (kernel/dilation x width, + skips), pooling, embedding",
        "EER of each training / %",
        "standard deviation over seeds / points",
        "parameters",
        f"MACs ({config.evaluation.mac_frames} frames)",
    ]
    failed = len(summary["failed_finalists"])
    note = f"Widths are multiplied by {config.space.width_multiplier:g}. Trainings that failed: {failed}."
    return Table("Finalists", columns, rows, note)


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
