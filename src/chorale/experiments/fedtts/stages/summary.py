"""The figures of the run, put together for its page and for whoever reads its results."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import JsonValue

from chorale.core import files
from chorale.experiments.fedtts.config import FedttsConfig
from chorale.experiments.fedtts.results import SPEECH_FILE, SUMMARY_FILE, TRAIN_STAGE
from chorale.runs.context import Context
from chorale.runs.contract import Outcome


def summarise(context: Context, config: FedttsConfig) -> Outcome:
    """Write the means of what was measured of speech, by voice, beside the figures of the training."""
    rows = files.read_json(context.artifacts / SPEECH_FILE)
    summary: dict[str, Any] = {
        "mode": config.mode,
        "training": context.result(TRAIN_STAGE),
        "speech": {voice: _means([row for row in rows if row["voice"] == voice]) for voice in _voices(rows)},
        "held_out": config.corpus.held_out > 0,
    }
    files.write_json(context.artifacts / SUMMARY_FILE, summary)
    return Outcome(summary)


def _voices(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["voice"] for row in rows))


def _means(rows: Sequence[Mapping[str, Any]]) -> dict[str, JsonValue]:
    """Return the mean of each figure over the rows that have it, and how many rows there are."""
    names = dict.fromkeys(name for row in rows for name, value in row.items() if isinstance(value, bool | int | float))
    means: dict[str, JsonValue] = {}
    for name in names:
        found = [float(row[name]) for row in rows if row.get(name) is not None]
        means[name] = math.fsum(found) / len(found) if found else None
    return {"utterances": len(rows), **means}
