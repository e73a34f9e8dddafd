"""The page of a comparison: verdicts, the table of arms, loss against bytes and against simulated seconds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from chorale.core import files
from chorale.core.wording import Json, effect_of, interval_of
from chorale.experiments.fedtts.comparison.arms import CENTRAL, arms_of
from chorale.experiments.fedtts.comparison.curves import Point
from chorale.experiments.fedtts.comparison.figures import Training, trainings_of
from chorale.experiments.fedtts.comparison.markdown import CAUTION
from chorale.experiments.fedtts.comparison.words import LABELS, median_of, rule, setting
from chorale.experiments.fedtts.config import FedttsConfig
from chorale.experiments.fedtts.results import ARMS_STAGE, SUMMARY_FILE
from chorale.runs.directory import Run
from chorale.runs.parts import Part, Plot, Series, Table, Text


def comparison_parts(run: Run, config: FedttsConfig) -> list[Part]:
    """Return the parts; they read what the run has so far."""
    stage = run.stages().get(ARMS_STAGE)
    records = run.items(stage) if stage is not None else []
    trainings = trainings_of(records)
    path = run.artifacts / SUMMARY_FILE
    summary = files.read_json(path) if path.exists() else None
    parts: list[Part] = []
    if summary is None:
        ended = sum(record.state.ended for record in records)
        parts.append(Text("The comparison goes on", f"{ended} of {len(records)} trainings have ended."))
    else:
        parts += [_verdicts(summary), Text("", CAUTION, role="caution"), *_effects(summary), _arms(summary)]
    target = None if summary is None else float(summary["target"])
    federated = [training for training in trainings if training.arm != CENTRAL]
    parts += [
        _curves("Loss against bytes", "MB sent by all clients and to them", federated, config, "bytes", target),
        _curves("Loss against simulated seconds", "simulated s", federated, config, "simulated_s", target),
        _curves("Loss against rounds", "rounds", trainings, config, "rounds", target),
    ]
    return parts


def _verdicts(summary: Json) -> Text:
    claims = [
        f"{position}. {claim['text']}: {claim['verdict']}." for position, claim in enumerate(summary["claims"], 1)
    ]
    return Text("What the abstract claims, and what was found", "\n\n".join([*claims, setting(summary), rule(summary)]))


def _effects(summary: Json) -> list[Table]:
    columns = ("", "arm", "against", "effect", f"{100 * summary['confidence']:g} % interval", "verdict")
    claimed = [part for claim in summary["claims"] for part in claim["parts"]]
    note = "A ratio is the arm's figure divided by the other's, a difference the arm's minus the other's."
    return [
        Table("Claims", columns, [_effect_row(effect) for effect in claimed], note),
        Table("Bytes to the target", columns, [_effect_row(effect) for effect in summary["headlines"]], note),
        Table("Second reading, random depth", columns, [_effect_row(e) for e in summary["second_reading"]], note),
    ]


def _effect_row(effect: Json) -> list[str]:
    return [
        effect["text"],
        effect["arm"],
        effect["against"],
        effect_of(effect),
        interval_of(effect),
        effect["verdict"],
    ]


def _arms(summary: Json) -> Table:
    rows: list[list[Any]] = []
    for row in summary["rows"]:
        total = row["total_bytes"]
        rows.append([row["label"], *(median_of(row, figure) for figure in LABELS), total and total / 1e6])
    columns = ("arm", *LABELS.values(), "MB in all")
    return Table("Arms", columns, rows, "Medians over seeds, intervals in brackets.")


def _curves(
    title: str, x_label: str, trainings: Sequence[Training], config: FedttsConfig, axis: str, target: float | None
) -> Plot:
    series = []
    for name, arm in arms_of(config).items():
        curves = [training.curve for training in trainings if training.arm == name]
        if curves:
            points = [_median(points) for points in zip(*curves, strict=True)]
            scale = 1e6 if axis == "bytes" else 1.0
            x = [getattr(point, axis) / scale for point in points]
            series.append(Series(arm.label, x, [point.loss for point in points]))
    note = "Medians over seeds, at equal rounds."
    if target is not None and series:
        ends = [min(min(each.x) for each in series), max(max(each.x) for each in series)]
        series.append(Series("target", ends, [target, target]))
    return Plot(title, x_label, "validation loss", series, note, x_scale="log" if axis != "rounds" else "linear")


def _median(points: Sequence[Point]) -> Point:
    return Point(*(statistics.median(values) for values in zip(*points, strict=True)))
