"""The parts of a distillation's page; they read what the run has so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from chorale.core import files
from chorale.experiments.datafree.config import DatafreeConfig
from chorale.experiments.datafree.results import (
    DISTIL_STAGE,
    FORECAST_FILE,
    SUMMARY_FILE,
    TEACHER_RECORD,
    TEACHER_STAGE,
    sheets_folder,
)
from chorale.runs.directory import Run
from chorale.runs.events import Event, read_events
from chorale.runs.parts import Media, Part, Plot, Series, Table, Text

_SHOWN_SHEETS = 6
_LOSSES = ("student/", "generator/")


def report_parts(run: Run, config: DatafreeConfig) -> list[Part]:
    """Return verdict, sheets of images, curves, what the teacher is, and what is whose."""
    events = read_events(run.events, DISTIL_STAGE, 0)
    parts: list[Part] = [*_verdict(run), *_sheets(sheets_folder(run), "Generated images")]
    if config.moons is not None:
        from chorale.experiments.datafree.reporting.plane import plane_parts

        parts += plane_parts(run, config)
    if any(event.name == "accuracy" for event in events):
        parts.append(_accuracies(run, events, config))
    parts += _curves(events)
    parts += _forecast(run)
    parts += _teacher(run)
    return [*parts, caution()]


def _verdict(run: Run) -> Iterator[Part]:
    path = run.artifacts / SUMMARY_FILE
    if not path.exists():
        yield Text("The distillation goes on", "Figures so far are below.")
        return
    summary = files.read_json(path)
    yield Text("What came of it", str(summary["verdict"]))
    student: Any = summary["student"]
    rows = [
        ["after the last round", round(100 * student["final"], 2)],
        ["mean over the evaluations", round(100 * student["mean"], 2)],
        ["best, which is chosen on test images", round(100 * student["best"], 2)],
        ["teacher", round(100 * summary["teacher"]["accuracy"], 2)],
    ]
    note = f"{student['student_updates']:,} steps of the student in {student['seconds']:.0f} s of training."
    yield Table("Accuracy on test images", ("", "%"), rows, note)


def _sheets(folder: Path, title: str) -> Iterator[Media]:
    sheets = sorted(folder.glob("round-*.png"))
    if not sheets:
        return
    # Evenly spread, the first and the last among them.
    count = min(_SHOWN_SHEETS, len(sheets))
    chosen = [sheets[round(place * (len(sheets) - 1) / max(1, count - 1))] for place in range(count)]
    named = [(path, f"after round {int(path.stem.removeprefix('round-'))}") for path in dict.fromkeys(chosen)]
    yield Media(title, "image", named, "The same z's each time. They need not look like anything to people.")


def _accuracies(run: Run, events: Sequence[Event], config: DatafreeConfig) -> Plot:
    series = [
        Series(label, [event.step for event in found], [100 * event.value for event in found])
        for name, label in (("accuracy", "student"), ("agreement", "agreement with the teacher"))
        if (found := [event for event in events if event.name == name])
    ]
    record = run.artifacts / TEACHER_RECORD
    if record.exists() and series:
        accuracy = 100 * float(files.read_json(record)["accuracy"])
        series.append(Series("teacher", [series[0].x[0], series[0].x[-1]], [accuracy, accuracy]))
    return Plot("Accuracy over the rounds", "rounds", "% of test images", series)


def _curves(events: Sequence[Event]) -> Iterator[Plot]:
    for prefix in _LOSSES:
        names = list(dict.fromkeys(event.name for event in events if event.name.startswith(prefix)))
        if names:
            series = [_series(events, name, name.removeprefix(prefix).replace("_", " ")) for name in names]
            yield Plot(f"Losses of the {prefix.rstrip('/')}", "rounds", "loss", series)
    names = [name for name in ("diversity", "label_entropy") if any(event.name == name for event in events)]
    if names:
        labels = {"diversity": "deviation over images", "label_entropy": "entropy of labels, of the largest possible"}
        series = [_series(events, name, labels[name]) for name in names]
        note = "Near 0 the generator makes one image, or images of one class."
        yield Plot("Diversity of the generated images", "rounds", "", series, note)


def _series(events: Sequence[Event], name: str, label: str) -> Series:
    found = [event for event in events if event.name == name]
    return Series(label, [event.step for event in found], [event.value for event in found])


def _forecast(run: Run) -> Iterator[Part]:
    path = run.artifacts / FORECAST_FILE
    if path.exists():
        yield Text("How long it was to take, said before it started", f"{files.read_json(path)['words']}.")


def _teacher(run: Run) -> Iterator[Part]:
    events = [e for e in read_events(run.events, TEACHER_STAGE, 0) if e.name == "loss/teacher"]
    if events:
        yield Plot("Training of the teacher", "steps", "cross-entropy", [_series(events, "loss/teacher", "teacher")])
    record = run.artifacts / TEACHER_RECORD
    if record.exists():
        found = files.read_json(record)
        rows = [[name, str(found[name])] for name in ("network", "parameters", "source", "parameter_hash")]
        yield Table("The teacher", ("", ""), rows)


def caution() -> Text:
    """Return what of the method is the paper's and what is ours."""
    return Text(
        "What is the paper's and what is ours",
        "Of the paper only abstract and introduction could be read. That a generator is trained against the student's "
        "disagreement with the teacher, that an activation regularizer is added, and that virtual samples and labels "
        "in between are made, is the paper's. The loop and its settings are those of the method it builds on (DFAD); "
        "the equation of the regularizer is after Heo et al. 2019, that of the interpolation after mixup: our choices.",
        role="caution",
    )
