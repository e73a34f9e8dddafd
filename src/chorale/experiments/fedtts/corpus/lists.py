"""The list of a run's utterances: what the ``lists`` stage writes and every later one reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from chorale.core import files
from chorale.data.corpora.transcripts import Transcript
from chorale.data.corpora.utterances import Clip
from chorale.experiments.fedtts.config.speech import TextConfig
from chorale.media.text.normalise import normalise
from chorale.media.text.phonemes import phonemise
from chorale.runs.directory import Run

LISTS_FILE = "lists/utterances.json"
SCALE_FILE = "lists/mel-scale.json"
Units = Literal["labels", "graphemes", "espeak"]


@dataclass(frozen=True)
class Utterance:
    """One line of the list.

    Attributes:
        key: Its name.
        speaker: Who speaks.
        language: Language tag.
        group: Chapter, session or scene.
        text: Normalised.
        units: What its symbols are: letters and marks, phones of espeak-ng, or labels with spaces between.
        clip: Where it is heard.
        ends_s: When each label ends; empty if the corpus has none.
        valid: Whether it is held out.
    """

    key: str
    speaker: str
    language: str
    group: str
    text: str
    units: str
    clip: Clip
    ends_s: tuple[float, ...]
    valid: bool

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON value; times as one text, or a corpus of hours would make a list of a million lines."""
        return {
            "key": self.key,
            "speaker": self.speaker,
            "language": self.language,
            "group": self.group,
            "text": self.text,
            "units": self.units,
            "clip": [str(self.clip.path), self.clip.start_s, self.clip.end_s],
            "ends_s": " ".join(repr(end_s) for end_s in self.ends_s),
            "valid": self.valid,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Utterance:
        """Return it from its JSON value."""
        path, start_s, end_s = value["clip"]
        ends_s = tuple(float(word) for word in value["ends_s"].split())
        return cls(**{**value, "clip": Clip(Path(path), start_s, end_s), "ends_s": ends_s})


def symbols_of(units: str, kind: Units) -> list[str]:
    """Return the symbols of a sentence's units: labels have spaces between them, all others are single characters."""
    return units.split() if kind == "labels" else list(units)


def units_of(texts: Sequence[str], config: TextConfig, language: str) -> list[str]:
    """Return the units of sentences in one language, as ``config`` wants them.

    Args:
        texts: As people write them; for ``labels`` these are the corpus's phones with spaces between.
        config: Which units.
        language: Language tag, for where the configuration names none.

    Raises:
        InputError: A number cannot be said, or espeak-ng is missing or does not know the language.
    """
    if config.units == "labels":
        return [" ".join(text.split()) for text in texts]
    tag = config.language or language
    # espeak-ng has stress of its own, and would say the mark of ours.
    spoken = [normalise(text, tag, keep_stress=config.units == "graphemes") for text in texts]
    return phonemise(spoken, tag) if config.units == "espeak" else spoken


def describe(
    transcripts: Sequence[Transcript], config: TextConfig, valid: frozenset[str] = frozenset()
) -> list[Utterance]:
    """Return the list's lines of ``transcripts``; those whose keys are in ``valid`` are held out."""
    units: dict[str, str] = {}
    for language in sorted({transcript.language for transcript in transcripts}):
        own = [transcript for transcript in transcripts if transcript.language == language]
        labels = config.units == "labels"
        texts = [" ".join(phone.symbol for phone in t.phones) if labels else t.text for t in own]
        for transcript, sentence in zip(own, units_of(texts, config, language), strict=True):
            units[transcript.key] = sentence
    return [
        Utterance(
            transcript.key,
            transcript.speaker,
            transcript.language,
            transcript.group,
            normalise(transcript.text, config.language or transcript.language),
            units[transcript.key],
            transcript.clip,
            tuple(phone.end_s for phone in transcript.phones),
            transcript.key in valid,
        )
        for transcript in transcripts
    ]


def read_lists(run: Run) -> dict[str, Any]:
    """Return what the ``lists`` stage wrote: identities, names of symbols, and every utterance's JSON value."""
    return dict(files.read_json(run.artifacts / LISTS_FILE))


def store_directory(cache: Path, lists: dict[str, Any]) -> Path:
    """Return where the mel spectrograms lie: in the cache, under the hash of corpus and mel configuration."""
    return cache / "features" / str(lists["store"])


def durations_key(key: str) -> str:
    """Return the name under which the store holds an utterance's durations."""
    return f"{key}#durations"
