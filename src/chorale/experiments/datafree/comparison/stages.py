"""The stages of the comparison: one distillation of an arm; the table and the verdicts of all."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from chorale.core import files
from chorale.core.intervals import t_interval
from chorale.core.verdicts import Comparison, Effect, judge, together
from chorale.experiments.datafree.comparison.arms import arm_config, arms_of
from chorale.experiments.datafree.comparison.claims import claims, controls
from chorale.experiments.datafree.comparison.markdown import SHOWN_SHARES
from chorale.experiments.datafree.config import DatafreeConfig
from chorale.experiments.datafree.results import (
    ARMS_STAGE,
    SUMMARY_FILE,
    TEACHER_STAGE,
    networks_folder,
    sheets_folder,
)
from chorale.experiments.datafree.stages.distilling import distilled
from chorale.ranks.device import set_threads
from chorale.runs.context import Context
from chorale.runs.contract import Outcome
from chorale.runs.items import State

COSTS = ("queries", "student_updates", "seconds", "cpu_s", "memory_gib")
Json = Mapping[str, Any]


def distil_arm(context: Context, config: DatafreeConfig) -> Outcome:
    """Distil one arm with one seed in this process, from its newest checkpoint if there is one.

    Raises:
        InputError: Networks do not fit one another.
        WorkError: A loss is not finite, or the generator has collapsed.
        StoppedError: It was asked to stop, and has saved itself.
    """
    arm, seed = context.item["arm"], context.item["seed"]
    # Results depend on the number of threads, and the array goes side by side.
    set_threads(1)
    own = arm_config(config, arm, seed)
    # Of the first seed something to look at stays: images that the arm's generator makes, networks to use or to draw.
    looked_at = seed == config.comparison.seeds[0]
    sheets = sheets_folder(context.run) / arm if looked_at and config.corpus is not None else None
    keep_in = networks_folder(context.run, arm) if looked_at else None
    return Outcome({"arm": arm, "seed": seed, **distilled(context, own, sheets, keep_in)})


def compare(context: Context, config: DatafreeConfig) -> Outcome:
    """Put every arm's figures side by side, and judge the claims by paired differences."""
    records = context.records(ARMS_STAGE)
    rows: list[Json] = [record.result for record in records if isinstance(record.result, dict)]
    confidence = config.comparison.confidence
    by_arm = {arm: [row for row in rows if row["arm"] == arm] for arm in arms_of(config)}

    def judged(comparison: Comparison) -> Effect:
        arm, against = (
            _measured(by_arm.get(name, []), comparison.figure) for name in (comparison.arm, comparison.against)
        )
        return judge(comparison, arm, against, confidence)

    effects = [(claim.text, [judged(part) for part in claim.parts]) for claim in claims()]
    summary: dict[str, Any] = {
        "mode": config.mode,
        "run": context.run.name,
        "teacher": context.result(TEACHER_STAGE),
        "confidence": confidence,
        "seeds": list(config.comparison.seeds),
        "budget": config.schedule.queries,
        "cpu_minutes": sum(row["cpu_s"] for row in rows) / 60,
        "rows": [_row(arm, label.label, by_arm[arm], confidence) for arm, label in arms_of(config).items()],
        "claims": [
            {"text": text, "verdict": together(effect.verdict for effect in parts), "parts": _plain(parts)}
            for text, parts in effects
        ],
        "controls": _plain([judged(comparison) for comparison in controls()]),
        "failed": [record.message for record in records if record.state is not State.DONE],
    }
    files.write_json(context.artifacts / SUMMARY_FILE, summary)
    return Outcome(summary)


def _row(arm: str, label: str, found: Sequence[Json], confidence: float) -> dict[str, Any]:
    row: dict[str, Any] = {"arm": arm, "label": label, "runs": len(found)}
    for figure in SHOWN_SHARES:
        values = [one[figure] for one in found if one.get(figure) is not None]
        if values:
            interval = t_interval(values, confidence)
            row[figure] = {
                "mean": statistics.fmean(values),
                "low": None if interval is None else interval.low,
                "high": None if interval is None else interval.high,
            }
    for cost in COSTS:
        values = [one[cost] for one in found]
        row[cost] = statistics.fmean(values) if values else None
    row["curves"] = [one["curve"] for one in found]
    return row


def _measured(found: Sequence[Json], figure: str) -> dict[int, float | None]:
    """Return a figure by seed, of the distillations that have it: None would say that a target was missed."""
    return {one["seed"]: one[figure] for one in found if one.get(figure) is not None}


def _plain(effects: Sequence[Effect]) -> list[dict[str, Any]]:
    return [effect.to_json() for effect in effects]
