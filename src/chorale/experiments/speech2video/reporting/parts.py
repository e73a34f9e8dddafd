"""The parts of a run's page; they read what the run has so far."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chorale.data.corpora.rendered.corpus import corpus_folder, planned_clips
from chorale.experiments.speech2video.config import SpeechVideoConfig
from chorale.experiments.speech2video.results import (
    EMOTION_STAGE,
    IDENTITY_STAGE,
    LISTEN_STAGE,
    SHEETS_FOLDER,
    STORE_STAGE,
    TRAININGS,
)
from chorale.runs.directory import Run
from chorale.runs.events import read_events
from chorale.runs.items import State
from chorale.runs.parts import Media, Part, Plot, Series, Table, Text

_SHOWN_SHEETS = 4
_SHOWN_CLIPS = 6
# Title, unit and metric of what is drawn of each training.
_CURVES = {
    LISTEN_STAGE: (
        ("Speech encoder: InfoNCE", "nats", "loss/speech"),
        ("Speech encoder: what comes next, told rightly", "share of the guesses", "hits/speech"),
    ),
    EMOTION_STAGE: (("Emotion teacher", "share told rightly", "accuracy/emotion"),),
    IDENTITY_STAGE: (("Identity teacher", "share told rightly", "accuracy/speaker"),),
}


def report_parts(run: Run, config: SpeechVideoConfig) -> list[Part]:
    """Return what became of the clips and of the trainings, sheets of clips, and some to look at."""
    return [*_outcome(run, config), *_trainings(run, config), *_clips(config), *_sheets(run)]


def _outcome(run: Run, config: SpeechVideoConfig) -> Iterator[Part]:
    stages = run.stages()
    records = run.items(stages[STORE_STAGE]) if STORE_STAGE in stages else []
    if not records or records[0].state is not State.DONE:
        yield Text("The clips are being prepared", "What is there so far is below.")
        return
    found: Any = records[0].result
    what = "rendered clips" if config.rendered is not None else "clips"
    body = f"{found['kept']} of {found['clips']} {what} show a face that can be learnt from: {found['seconds']:.0f} s."
    yield Text("What came of it", body)
    parts = [[name, count] for name, count in sorted(found["parts"].items())]
    yield Table("Clips of each part", ("part", "clips"), parts)
    if found["dropped"]:
        yield Table("Why clips were dropped", ("reason", "clips"), [list(one) for one in found["dropped"].items()])
    if config.rendered is not None:
        yield Text(
            "These people do not exist",
            "Faces are rendered, and all voices but the recorded one are synthesised. A figure measured on them says "
            "how the system learns what was put in, not how it does on people.",
            role="caution",
        )


def _trainings(run: Run, config: SpeechVideoConfig) -> Iterator[Part]:
    for stage in TRAININGS[config.mode]:
        events = read_events(run.events, stage, 0)
        for title, unit, key in _CURVES[stage]:
            series = [
                Series(label, [event.step for event in events if event.name == name], values)
                for label, name in (("training", key), ("held out", f"{key}/held_out"))
                if (values := [event.value for event in events if event.name == name])
            ]
            if series:
                yield Plot(title, "steps", unit, series)


def _clips(config: SpeechVideoConfig) -> Iterator[Part]:
    if config.rendered is None:
        return
    folder = corpus_folder(config.rendered, config.where.cache)
    plan = planned_clips(config.rendered)
    # One of each of some speakers, emotion by emotion.
    picked = [plan[number * len(plan) // _SHOWN_CLIPS] for number in range(min(_SHOWN_CLIPS, len(plan)))]
    shown = [(folder / clip.file, f"rendered: speaker {clip.speaker:02d}, {clip.emotion}") for clip in picked]
    there = [(path, caption) for path, caption in shown if path.is_file()]
    if there:
        yield Media("Rendered clips", "video", there)


def _sheets(run: Run) -> Iterator[Part]:
    paths = sorted((run.artifacts / SHEETS_FOLDER).glob("*.png"))[:_SHOWN_SHEETS]
    if paths:
        yield Media(
            "Clips kept and dropped", "image", [(path, path.stem) for path in paths], "The reason stands below each."
        )
