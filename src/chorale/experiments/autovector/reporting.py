"""The parts of the report's page; they read what the run has so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from chorale.core import files
from chorale.experiments.autovector.comparison import NETWORKS, verdict
from chorale.experiments.autovector.config import AutovectorConfig
from chorale.experiments.autovector.genome import describe
from chorale.experiments.autovector.metrics import dcf_name, det_curve, error_rates, sort_trials
from chorale.experiments.autovector.results import SUMMARY_FILE, Candidate, candidates, of_arm
from chorale.experiments.autovector.score_file import read_scores
from chorale.runs.directory import Run
from chorale.runs.items import State
from chorale.runs.parts import Cell, Part, Plot, Series, Table, Text

_ARMS = {"evolution": "ageing evolution", "random": "random search"}


def report_parts(run: Run, config: AutovectorConfig) -> list[Part]:
    """Return the page of a search: cautions, final table, plots, failures, every candidate."""
    known = candidates(run)
    summary_path = run.artifacts / SUMMARY_FILE
    summary = files.read_json(summary_path) if summary_path.exists() else None
    parts: list[Part] = [_caution(config, summary), _what_is_whose()]
    if summary is None:
        ended = sum(candidate.record.state.ended for candidate in known)
        body = f"{ended} of {len(known)} candidates declared so far have ended; the final comparison comes last."
        parts.append(Text("The search goes on", body))
    else:
        parts += [Text("What was measured", verdict(summary["rows"])), _final_table(summary, config)]
    parts += [_search_plot(known), _front_plot(known, config)]
    if summary is not None:
        parts.append(_det_plot(run, summary, config))
    return [*parts, _failures(known), _all_candidates(known, config)]


def _caution(config: AutovectorConfig, summary: dict[str, Any] | None) -> Text:
    size = ""
    if summary is not None:
        size = (
            f" The test list has {summary['target_trials']} target and {summary['non_target_trials']} non-target "
            f"trials of {summary['test_speakers']} speakers."
        )
    if config.corpus.layout == "packages":
        body = (
            "These are real recordings, but speaker, language, microphone and words go together in them, which "
            "flatters any model: an EER here says less about telling people apart than the same EER on VoxCeleb." + size
        )
        return Text("Before trusting a figure", body, role="caution")
    body = "Figures hold for this corpus, its split and this trial list; compare them with no other." + size
    return Text("Before trusting a figure", body, role="caution")


def _what_is_whose() -> Text:
    return Text(
        "What the paper says, and what was chosen here",
        "The abstract of arXiv:2008.05695 says: architecture search is brought into the x-vector network, an "
        "evolutionary algorithm finds promising networks, and the result beats hand-made speaker verification "
        "models.\n\n"
        "Chosen here, since nothing more of it could be read: the genes and their values, the seed individual (Kaldi's "
        "x-vector), ageing evolution and random search as its baseline, the fitness (EER on search-dev speakers), the "
        "training recipe and the cosine back end. Layers keep the number of frames by padding. Both searches have the "
        "same number of evaluations of the same number of training steps. Test trials are scored by the finalists "
        "alone.",
    )


def _final_table(summary: dict[str, Any], config: AutovectorConfig) -> Table:
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


def _search_plot(known: Sequence[Candidate]) -> Plot:
    series: list[Series] = []
    for arm, label in _ARMS.items():
        errors: list[float] = []
        best: list[float] = []
        labels: list[str] = []
        for candidate in of_arm(known, "evolution" if arm == "evolution" else "random"):
            if not candidate.record.state.ended:
                continue
            error = candidate.individual.fitness
            errors.append(math.nan if error is None else 100 * error)
            best.append(min((value for value in errors if math.isfinite(value)), default=math.nan))
            labels.append(f"#{candidate.individual.number} {describe(candidate.individual.genome)}")
        evaluations = [float(number) for number in range(1, len(errors) + 1)]
        series.append(Series(f"{label}: best so far", evaluations, best, "steps"))
        series.append(Series(f"{label}: candidates", evaluations, errors, "points", labels))
    return Plot(
        "Search",
        "evaluations",
        "EER on search-dev trials / %",
        series,
        "Every evaluation trains the same number of steps. Candidates that failed are counted and not drawn.",
    )


def _front_plot(known: Sequence[Candidate], config: AutovectorConfig) -> Plot:
    series: list[Series] = []
    reached: list[tuple[float, float]] = []
    for arm, label in _ARMS.items():
        done = [candidate for candidate in known if candidate.arm == arm and candidate.result is not None]
        macs = [float(candidate.result["macs"]) for candidate in done if candidate.result]
        errors = [100 * float(candidate.result["eer"]) for candidate in done if candidate.result]
        labels = [f"#{c.individual.number} {describe(c.individual.genome)}" for c in done]
        series.append(Series(label, macs, errors, "points", labels))
        reached += zip(macs, errors, strict=True)
    front = pareto_front(reached)
    if front:
        series.append(Series("Pareto front", [x for x, _ in front], [y for _, y in front], "steps"))
    label = f"multiply-accumulates of {config.evaluation.mac_frames} frames"
    return Plot("Front", label, "EER on search-dev trials / %", series, x_scale="log")


def pareto_front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points that no other beats in both cost and error, by rising cost."""
    front: list[tuple[float, float]] = []
    for cost, error in sorted(points):
        if not front or error < front[-1][1]:
            front.append((cost, error))
    return front


def _det_plot(run: Run, summary: dict[str, Any], config: AutovectorConfig) -> Plot:
    series = []
    for network in NETWORKS:
        paths = [run.artifacts / name for name in summary["scores"].get(network, []) if (run.artifacts / name).exists()]
        if paths:
            labels, scores = read_scores(paths[0])
            curve = det_curve(error_rates(sort_trials(scores, labels)), config.evaluation.det_points)
            series.append(Series(network, curve.false_alarm.tolist(), curve.miss.tolist()))
    return Plot(
        "DET",
        "false alarms",
        "misses",
        series,
        "Test trials; the first training of each network.",
        x_scale="probit",
        y_scale="probit",
    )


def _failures(known: Sequence[Candidate]) -> Table:
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


def _all_candidates(known: Sequence[Candidate], config: AutovectorConfig) -> Table:
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
