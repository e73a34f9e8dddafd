"""The figures of a run, put together."""

from __future__ import annotations

from typing import Any

from chorale.experiments.speech2video.config import SpeechVideoConfig
from chorale.experiments.speech2video.results import STORE_STAGE, TRAININGS
from chorale.runs.context import Context
from chorale.runs.contract import Outcome


def summarise(context: Context, config: SpeechVideoConfig) -> Outcome:
    """Return what became of the clips, and of what was trained on them."""
    figures: dict[str, Any] = {"mode": config.mode, "clips": context.result(STORE_STAGE)}
    for stage in TRAININGS[config.mode]:
        figures[stage] = context.result(stage)
    return Outcome(figures)
