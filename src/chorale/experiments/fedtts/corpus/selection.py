"""Which recordings of a corpus are used, which are held out, and the symbols of their texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chorale.core.errors import InputError
from chorale.data.corpora.transcripts import Transcript
from chorale.experiments.fedtts.config.speech import TextConfig, TranscriptsConfig
from chorale.experiments.fedtts.corpus.lists import Utterance, symbols_of
from chorale.media.text.normalise import PUNCTUATION
from chorale.media.text.symbols import SymbolTable


def choose(transcripts: Iterable[Transcript], config: TranscriptsConfig) -> list[Transcript]:
    """Return the first ``max_utterances`` that are not longer than ``max_seconds``.

    Raises:
        InputError: None is left.
    """
    chosen: list[Transcript] = []
    for transcript in transcripts:
        if config.max_utterances is not None and len(chosen) == config.max_utterances:
            break
        if transcript.clip.seconds() <= config.max_seconds:
            chosen.append(transcript)
    if not chosen:
        raise InputError(f"corpus: no recording is shorter than {config.max_seconds:g} s", "raise corpus.max_seconds")
    return chosen


def held_out(keys: Sequence[str], count: int) -> frozenset[str]:
    """Return ``count`` keys, spread evenly over ``keys``.

    Raises:
        InputError: None would be left to learn from.
    """
    if count >= len(keys) and count:
        raise InputError(
            f"corpus.held_out: {count} of {len(keys)} utterances leave none to learn from", "lower corpus.held_out"
        )
    return frozenset(keys[(2 * number + 1) * len(keys) // (2 * count)] for number in range(count))


def symbol_table(utterances: Iterable[Utterance], config: TextConfig) -> SymbolTable:
    """Return the table of all symbols; punctuation is always in it, so that any text can be spoken later."""
    always = () if config.units == "labels" else PUNCTUATION
    return SymbolTable.of((symbols_of(utterance.units, config.units) for utterance in utterances), always)
