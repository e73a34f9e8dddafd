"""The stages of the comparison: one training of an arm; the table and the verdicts of all."""

from __future__ import annotations

import time
from typing import Any

from chorale.core import files
from chorale.core.errors import WorkError
from chorale.core.verdicts import Comparison, Effect, judge, together
from chorale.experiments.fedtts.comparison.arms import CENTRAL, arm_config, arms_of
from chorale.experiments.fedtts.comparison.claims import DATA, claims_of, headlines, second_reading
from chorale.experiments.fedtts.comparison.curves import central_curve, federated_curve
from chorale.experiments.fedtts.comparison.figures import (
    Training,
    data_figures,
    figures_of,
    row_of,
    target_loss,
    trainings_of,
)
from chorale.experiments.fedtts.config import FedttsConfig
from chorale.experiments.fedtts.corpus.speech_data import SpeechData
from chorale.experiments.fedtts.federation.rounds import run_rounds
from chorale.experiments.fedtts.network.initial import build
from chorale.experiments.fedtts.network.naming import full_depth
from chorale.experiments.fedtts.results import ARMS_STAGE, LISTS_STAGE, STORE_STAGE, SUMMARY_FILE, TARGETS_STAGE
from chorale.experiments.fedtts.stages.federated import federation_of
from chorale.experiments.fedtts.training import SpeechTask
from chorale.ranks.device import pick_device, set_threads
from chorale.runs.context import Context
from chorale.runs.contract import Outcome
from chorale.runs.events import read_events
from chorale.runs.items import State
from chorale.training import loop
from chorale.training.config import LoopConfig


def train_arm(context: Context, config: FedttsConfig) -> Outcome:
    """Train one arm with one seed in this process, from its newest checkpoint if there is one.

    Raises:
        StoppedError: It was asked to stop, and has saved itself.
        WorkError: A loss or an update is not finite.
    """
    began = time.process_time()
    arm, seed = context.item["arm"], context.item["seed"]
    own = arm_config(config, arm, seed)
    # As clients compute: results depend on the number of threads.
    set_threads(1)
    data = SpeechData(context.run, own)
    if arm == CENTRAL:
        _train_centrally(context, own, data)
    else:
        run_rounds(federation_of(own, data, context.where.device), context)
    # What was logged holds the rounds of earlier attempts too.
    events = read_events(context.run.events, context.stage.name, context.index)
    central = arm == CENTRAL
    curve = central_curve(events, own.local.steps or 1) if central else federated_curve(events, own)
    return Outcome(
        {
            "arm": arm,
            "seed": seed,
            "final": curve[-1].loss,
            "curve": [list(point) for point in curve],
            "cpu_s": round(time.process_time() - began, 1),
        }
    )


def compare(context: Context, config: FedttsConfig) -> Outcome:
    """Set the target, measure every training against it, and judge the claims.

    Raises:
        WorkError: No training of an arm has come to its end.
    """
    plan = config.comparison
    targets = trainings_of(context.records(TARGETS_STAGE))
    if not targets:
        raise WorkError(f"no training of stage {TARGETS_STAGE} has come to its end")
    target = target_loss(targets, plan.tolerance)
    records = context.records(ARMS_STAGE)
    trainings: dict[str, list[Training]] = {name: [] for name in arms_of(config)}
    for training in trainings_of(records):
        trainings[training.arm].append(training)
    figures = {name: figures_of(found, target) for name, found in trainings.items()}
    data_bytes = _data_bytes(context, config)
    lists: Any = context.result(LISTS_STAGE)
    figures[DATA] = data_figures(data_bytes, plan.seeds)

    def judged(comparison: Comparison) -> Effect:
        arm, against = (figures[name].get(comparison.figure, {}) for name in (comparison.arm, comparison.against))
        return judge(comparison, arm, against, plan.confidence)

    claims = [(claim.text, [judged(part) for part in claim.parts]) for claim in claims_of(config)]
    summary: dict[str, Any] = {
        "mode": config.mode,
        "run": context.run.name,
        "target": target,
        "target_finals": [training.final for training in targets],
        "tolerance": plan.tolerance,
        "confidence": plan.confidence,
        "seeds": list(plan.seeds),
        "rounds": config.federation.rounds,
        "link": config.federation.link.profile,
        "data_bytes": data_bytes,
        "utterances": {part: lists[part]["utterances"] for part in ("train", "valid")},
        "cpu_minutes": sum(t.cpu_s for found in (targets, *trainings.values()) for t in found) / 60,
        "rows": [
            row_of(name, arm.label, trainings[name], figures[name], plan) for name, arm in arms_of(config).items()
        ],
        "claims": [
            {"text": text, "verdict": together(effect.verdict for effect in effects), "parts": _plain(effects)}
            for text, effects in claims
        ],
        "second_reading": _plain([judged(comparison) for comparison in second_reading()]),
        "headlines": _plain([judged(comparison) for comparison in headlines()]),
        "failed": [record.message for record in records if record.state is not State.DONE],
    }
    files.write_json(context.artifacts / SUMMARY_FILE, summary)
    return Outcome(summary)


def _train_centrally(context: Context, config: FedttsConfig, data: SpeechData) -> None:
    network = build(config.network, data.n_symbols, config.mel.n_mels, full_depth(config.network), config.seed)
    task = SpeechTask(network, data, config, context.ranks, pick_device(context.where.device))
    recipe = config.recipe
    steps = LoopConfig(
        steps=recipe.steps,
        log_every=recipe.log_every,
        evaluate_every=recipe.evaluate_every,
        checkpoint=config.checkpoint,
    )
    loop.train(task, steps, context, config.seed)


def _data_bytes(context: Context, config: FedttsConfig) -> int:
    store: Any = context.result(STORE_STAGE)
    return int(store["train"]["frames"]) * config.mel.n_mels * 4


def _plain(effects: list[Effect]) -> list[dict[str, Any]]:
    return [effect.to_json() for effect in effects]
