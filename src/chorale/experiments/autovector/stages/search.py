"""Candidates and breeding: every generation is an array, and a small stage between two of them breeds the next."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from chorale.core import files
from chorale.core.errors import WorkError
from chorale.experiments.autovector.cache import ResultCache
from chorale.experiments.autovector.candidate import cache_key, measure
from chorale.experiments.autovector.config import AutovectorConfig, RecipeConfig
from chorale.experiments.autovector.dataset import Part, SpeakerData
from chorale.experiments.autovector.declaration import next_generation, selection_stage
from chorale.experiments.autovector.genome import Genome, read_genome
from chorale.experiments.autovector.results import (
    RANDOM_STAGE,
    SEARCH_FILE,
    fitness_of,
    generation_stage,
    refuse_bad_input,
)
from chorale.experiments.autovector.score_file import write_scores
from chorale.experiments.autovector.search import Individual, SearchState, absorb, breed
from chorale.runs.context import Context
from chorale.runs.contract import Outcome


def candidate(context: Context, config: AutovectorConfig) -> Outcome:
    """Train and score one candidate on the search-dev trials, unless its result is known.

    Raises:
        StoppedError: The training was asked to stop, and has saved itself.
        WorkError: The training diverged or the scores collapsed; the search counts that as the worst fitness.
    """
    individual = Individual.from_json(context.item)
    genome = read_genome(individual.genome, config.space)
    return Outcome(result=known_or_measured(genome, config.recipe, config.seed, "dev", context, config))


def known_or_measured(
    genome: Genome,
    recipe: RecipeConfig,
    seed: int,
    part: Part,
    context: Context,
    config: AutovectorConfig,
    scores_file: Path | None = None,
) -> dict[str, Any]:
    """Return the result of one training, from the cache or measured now; ``source`` says which.

    Args:
        genome: The network.
        recipe: How it is trained.
        seed: Of the training.
        part: Whose trials are scored.
        context: Of the stage.
        config: Of the run.
        scores_file: Where the scores are to be kept; None keeps none.
    """
    cache = ResultCache(context.where.runs)
    data = SpeakerData(context.run, config)
    key = cache_key(genome, config, recipe, data.identity, part, seed)
    kept_scores = cache.scores_path(key)
    known = cache.get(key)
    if known is not None and (scores_file is None or kept_scores.exists()):
        if scores_file is not None:
            with files.atomic_path(scores_file) as temporary:
                shutil.copyfile(kept_scores, temporary)
        return {**known, "source": "cached"}
    trials = data.trials(part)
    result, scores = measure(genome, recipe, seed, data, trials, config, context)
    result["key"] = key
    if scores_file is not None:
        write_scores(kept_scores, trials.labels, scores)
        write_scores(scores_file, trials.labels, scores)
    cache.put(key, result)
    # The result is kept; what the training would have gone on from is of no more use.
    shutil.rmtree(context.checkpoints, ignore_errors=True)
    return {**result, "source": "executed"}


def breed_next(context: Context, config: AutovectorConfig) -> Outcome:
    """Read how every generation did, breed the next, and declare it together with what follows it."""
    generation = int(context.stage.name.rpartition("-")[2])
    state = replay(context, config, generation)
    files.write_json(context.artifacts / SEARCH_FILE, state.to_json())
    children = breed(state, config.search, config.space, config.seed)
    result: dict[str, JsonValue] = {"generation": generation, "children": len(children)}
    if not children:  # The space is used up.
        return Outcome(result, [selection_stage((generation_stage(generation - 1), RANDOM_STAGE))])
    return Outcome(result, next_generation(generation, children, config))


def replay(context: Context, config: AutovectorConfig, generations: int) -> SearchState:
    """Return the search's state after its first ``generations`` generations, from the run's own records.

    Raises:
        WorkError: A candidate has not ended.
        InputError: A candidate failed for want of good input.
    """
    state = SearchState()
    stages = context.run.stages()
    for generation in range(generations):
        name = generation_stage(generation)
        if name not in stages:
            break
        individuals = [Individual.from_json(item) for item in stages[name].items]
        records = context.records(name)
        if not all(record.state.ended for record in records):
            raise WorkError(f"{context.run.name}: {name} has not ended")
        refuse_bad_input(name, records)
        fitness = [fitness_of(record) for record in records]
        state = absorb(state, individuals, fitness, config.search.population)
    return state
