"""The end of a search: select finalists, train each several times from scratch, compare them on the test trials."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chorale.core import files
from chorale.core.errors import WorkError
from chorale.experiments.autovector.comparison import BEST, NETWORKS, RANDOM_MEDIAN, XVECTOR, compare, verdict
from chorale.experiments.autovector.config import AutovectorConfig
from chorale.experiments.autovector.dataset import SpeakerData, TrialList
from chorale.experiments.autovector.declaration import finalists_array
from chorale.experiments.autovector.genome import Genome, genome_hash, read_genome
from chorale.experiments.autovector.results import (
    FINALISTS_STAGE,
    RANDOM_STAGE,
    SEARCH_FILE,
    SUMMARY_FILE,
    candidates,
    count_trainings,
    of_arm,
    refuse_bad_input,
    result_of,
)
from chorale.experiments.autovector.score_file import read_scores
from chorale.experiments.autovector.search import fittest, median
from chorale.experiments.autovector.stages.search import known_or_measured, replay
from chorale.runs.context import Context
from chorale.runs.contract import Outcome


def select(context: Context, config: AutovectorConfig) -> Outcome:
    """Choose the best network found and the median random one, and declare their trainings beside the x-vector's.

    Raises:
        WorkError: No candidate of an arm succeeded.
        InputError: One failed for want of good input.
    """
    refuse_bad_input(RANDOM_STAGE, context.records(RANDOM_STAGE))
    known = candidates(context.run)
    files.write_json(context.artifacts / SEARCH_FILE, replay(context, config, config.search.generations + 1).to_json())
    drawn = [c.individual for c in of_arm(known, "random") if c.individual.fitness is not None]
    bred = [c.individual for c in of_arm(known, "evolution") if c.individual.fitness is not None]
    searched = bred if config.search.algorithm == "ageing-evolution" else drawn
    if not drawn or not searched:
        reasons = {c.record.message for c in known if c.record.message}
        raise WorkError(f"no candidate succeeded: {'; '.join(sorted(reasons)[:3])}", "mend that, or lower recipe.rate")
    chosen = {XVECTOR: config.space.xvector(), BEST: fittest(searched).genome, RANDOM_MEDIAN: median(drawn).genome}
    items = [
        {"network": network, "genome": dict(genome), "seed": config.seed + 1 + training}
        for network, genome in chosen.items()
        for training in range(config.finalists.seeds)
    ]
    return Outcome(
        {"best": fittest(searched).to_json(), "random_median": median(drawn).to_json()}, [finalists_array(items)]
    )


def finalist(context: Context, config: AutovectorConfig) -> Outcome:
    """Train one finalist from scratch and score the test trials, which no other stage does."""
    item: dict[str, Any] = context.item
    genome = read_genome(item["genome"], config.space)
    recipe = config.recipe.model_copy(update={"steps": config.finalists.steps})
    scores = f"scores/{item['network'].replace(' ', '-')}-seed{item['seed']}.txt"
    result = known_or_measured(
        genome, recipe, item["seed"], "test", context, config, scores_file=context.artifacts / scores
    )
    return Outcome({**result, "network": item["network"], "genome": item["genome"], "scores": scores})


def summarise(context: Context, config: AutovectorConfig) -> Outcome:
    """Compare the finalists and write the final table.

    Raises:
        WorkError: No finalist succeeded.
        InputError: One failed for want of good input.
    """
    trainings: dict[str, list[dict[str, Any]]] = defaultdict(list)
    scores: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
    names: dict[str, list[str]] = defaultdict(list)
    failed: list[str] = []
    records = context.records(FINALISTS_STAGE)
    refuse_bad_input(FINALISTS_STAGE, records)
    for record in records:
        result = result_of(record)
        if result is None:
            failed.append(record.message)
            continue
        trainings[result["network"]].append(result)
        names[result["network"]].append(result["scores"])
        scores[result["network"]].append(read_scores(context.artifacts / result["scores"])[1])
    if not trainings:
        raise WorkError(f"no finalist succeeded: {'; '.join(sorted(set(failed))[:3])}")
    trials = SpeakerData(context.run, config).trials("test")
    rows = compare(
        trainings, scores, trials.labels, trials.first_speaker, trials.second_speaker, config.evaluation, config.seed
    )
    chosen = {row["network"]: row["genome"] for row in rows}
    best_is_xvector = _same(chosen.get(BEST), chosen.get(XVECTOR))
    summary: dict[str, Any] = {
        "rows": rows,
        "verdict": verdict(rows, best_is_xvector),
        "scores": {network: names[network] for network in NETWORKS if network in names},
        "failed_finalists": failed,
        "best_is_xvector": best_is_xvector,
        **describe_trials(trials, config),
    }
    summary |= count_trainings([*(candidate.record for candidate in candidates(context.run)), *records])
    files.write_json(context.artifacts / SUMMARY_FILE, summary)
    return Outcome(summary)


def describe_trials(trials: TrialList, config: AutovectorConfig) -> dict[str, Any]:
    """Return what the final table says about its trials and its costs."""
    return {
        "mac_frames": config.evaluation.mac_frames,
        "target_trials": int(trials.labels.sum()),
        "non_target_trials": len(trials.labels) - int(trials.labels.sum()),
        "test_speakers": len(np.union1d(trials.first_speaker, trials.second_speaker)),
    }


def _same(one: Genome | None, other: Genome | None) -> bool:
    return one is not None and other is not None and genome_hash(one) == genome_hash(other)
