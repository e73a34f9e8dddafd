"""The page of a comparison: verdicts, controls, the table of arms, accuracy over the budget, images of each arm."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Any

from chorale.core import files
from chorale.core.wording import Json, effect_of, interval_of
from chorale.experiments.datafree.comparison.arms import arms_of
from chorale.experiments.datafree.comparison.markdown import (
    ARM_COLUMNS,
    CAUTION,
    SHOWN_COSTS,
    SHOWN_SHARES,
    in_points,
    rule,
    setting,
    share_of,
)
from chorale.experiments.datafree.config import DatafreeConfig
from chorale.experiments.datafree.reporting.parts import caution
from chorale.experiments.datafree.results import ARMS_STAGE, SUMMARY_FILE, sheets_folder
from chorale.runs.directory import Run
from chorale.runs.parts import Media, Part, Plot, Series, Table, Text


def comparison_parts(run: Run, config: DatafreeConfig) -> list[Part]:
    """Return the parts; they read what the run has so far."""
    path = run.artifacts / SUMMARY_FILE
    if not path.exists():
        stage = run.stages().get(ARMS_STAGE)
        records = run.items(stage) if stage is not None else []
        ended = sum(record.state.ended for record in records)
        return [
            Text("The comparison goes on", f"{ended} of {len(records)} distillations have ended."),
            *_looks(run, config),
            caution(),
        ]
    summary = files.read_json(path)
    return [
        _verdicts(summary),
        Text("", CAUTION, role="caution"),
        *_effects(summary),
        _arms(summary),
        _curves(summary),
        *_looks(run, config),
        caution(),
    ]


def _verdicts(summary: Json) -> Text:
    claims = [f"{place}. {claim['text']}: {claim['verdict']}." for place, claim in enumerate(summary["claims"], 1)]
    return Text("What the abstract claims, and what was found", "\n\n".join([*claims, setting(summary), rule(summary)]))


def _effects(summary: Json) -> Iterator[Table]:
    columns = ("", "arm", "against", "effect, points", f"{100 * summary['confidence']:g} % interval", "verdict")
    claimed = [part for claim in summary["claims"] for part in claim["parts"]]
    for title, effects in (("Claims", claimed), ("Controls", summary["controls"])):
        rows = [
            [e["text"], e["arm"], e["against"], effect_of(in_points(e)), interval_of(in_points(e)), e["verdict"]]
            for e in effects
        ]
        yield Table(title, columns, rows, "The arm's figure minus the other's, in percentage points.")


def _arms(summary: Json) -> Table:
    rows: list[list[Any]] = [
        [
            row["label"],
            row["runs"],
            *(share_of(row, figure) for figure in SHOWN_SHARES),
            *(row[cost] and round(row[cost]) for cost in SHOWN_COSTS),
        ]
        for row in summary["rows"]
    ]
    return Table(
        "Arms", ARM_COLUMNS, rows, "Means over seeds, intervals in brackets. The best is chosen on test images."
    )


def _curves(summary: Json) -> Plot:
    series = []
    for row in summary["rows"]:
        if not row["curves"]:
            continue
        rounds = [step for step, _ in row["curves"][0]]
        share = [step / rounds[-1] * row["queries"] for step in rounds]
        middle = [100 * statistics.median(values) for values in zip(*_values(row), strict=True)]
        series.append(Series(row["label"], share, middle))
    note = "Medians over seeds, at an equal share of the rounds."
    return Plot("Accuracy over the budget", "images that the teacher was asked about", "% of test images", series, note)


def _values(row: Json) -> list[list[float]]:
    return [[value for _, value in curve] for curve in row["curves"]]


def _looks(run: Run, config: DatafreeConfig) -> Iterator[Part]:
    if config.moons is not None:
        from chorale.experiments.datafree.reporting.plane import arms_planes

        yield from arms_planes(run, config)
    pictures = []
    for name, arm in arms_of(config).items():
        sheets = sorted((sheets_folder(run) / name).glob("round-*.png"))
        if sheets:
            pictures.append((sheets[-1], arm.label))
    if pictures:
        yield Media("What each arm's generator makes", "image", pictures, "After the last round, of the first seed.")
