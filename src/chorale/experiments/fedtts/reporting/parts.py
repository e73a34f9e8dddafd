"""The parts of the report's page; they read what the run has so far."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chorale.core import files
from chorale.core.errors import InputError, WorkError
from chorale.experiments.fedtts.config import FedttsConfig
from chorale.experiments.fedtts.corpus.lists import LISTS_FILE
from chorale.experiments.fedtts.federation import ledger_files
from chorale.experiments.fedtts.federation.ledger import Ledger
from chorale.experiments.fedtts.reporting.history import History
from chorale.experiments.fedtts.reporting.plots import (
    bytes_plot,
    clients_plot,
    depth_plot,
    guide_plot,
    loss_by_bytes_plot,
    loss_by_seconds_plot,
    loss_plot,
    time_plot,
)
from chorale.experiments.fedtts.reporting.tables import ledger_table, physical_table, reading_table, speech_table
from chorale.experiments.fedtts.reporting.texts import caution, measured, what_is_whose
from chorale.experiments.fedtts.results import (
    RECORDING,
    SPEECH_FILE,
    SUMMARY_FILE,
    TRAINED,
    UNTRAINED,
    VOCODED,
    sound_file,
)
from chorale.runs.directory import Run
from chorale.runs.parts import Media, Part, Text

_VOICES = {
    RECORDING: "recording",
    VOCODED: "vocoded recording",
    TRAINED: "trained network",
    UNTRAINED: "untrained network",
}


def report_parts(run: Run, config: FedttsConfig) -> list[Part]:
    """Return the page of a training: figures, speech, bytes and times or losses, cautions, what is whose."""
    history, summary = History(run), _read(run.artifacts / SUMMARY_FILE, {})
    speech = summary.get("speech")
    ledger, damage = _ledger(run) if config.mode == "federated" else (None, [])
    parts: list[Part] = [measured(config, history, ledger, speech), *_media(run)]
    if speech:
        parts += [speech_table(speech, config), reading_table(speech)]
    parts += damage
    if history.last:
        parts += _federation(config, history, ledger) if config.mode == "federated" else _central(config, history)
    lists = _read(run.artifacts / LISTS_FILE, {})
    return [*parts, caution(config, history, summary.get("training", {}), lists), what_is_whose()]


def _federation(config: FedttsConfig, history: History, ledger: Ledger | None) -> Iterator[Part]:
    if ledger is not None:
        yield bytes_plot(ledger)
    if history.of("loss/train") or history.of("loss/valid"):
        yield loss_by_bytes_plot(history, config)
        yield loss_by_seconds_plot(history, config)
    yield time_plot(history)
    if config.growth.kind != "none":
        yield depth_plot(history)
    clients = clients_plot(history)
    if clients is not None:
        yield clients
    if ledger is not None:
        yield ledger_table(ledger)
        yield physical_table(ledger, config)


def _central(config: FedttsConfig, history: History) -> Iterator[Part]:
    yield loss_plot(history, config)
    if history.of("guide/train"):
        yield guide_plot(history)


def _ledger(run: Run) -> tuple[Ledger | None, list[Part]]:
    """Return the newest ledger; where there is none yet, None; where it is damaged, why."""
    try:
        return ledger_files.load(ledger_files.find(run)), []
    except InputError:
        return None, []
    except WorkError as error:
        return None, [Text("Ledger", f"It cannot be shown. {error}", role="caution")]


def _media(run: Run) -> Iterator[Media]:
    texts = {str(row["key"]): str(row["text"]) for row in _read(run.artifacts / SPEECH_FILE, [])}
    pictures: list[tuple[Path, str]] = []
    for key, text in texts.items():
        sounds = [(sound_file(run, key, voice), label) for voice, label in _VOICES.items()]
        yield Media(f"Listen: {key}", "audio", [pair for pair in sounds if pair[0].is_file()], text)
        for voice in (TRAINED, UNTRAINED):
            pictures.append((sound_file(run, key, voice).with_suffix(".png"), f"{key}, {_VOICES[voice]}"))
    pictures = [pair for pair in pictures if pair[0].is_file()]
    if pictures:
        note = "Of the head that reads best. A network that has learnt to read shows a line that rises to the right."
        yield Media("Attention", "image", pictures, note)


def _read(path: Path, otherwise: Any) -> Any:
    return files.read_json(path) if path.exists() else otherwise
