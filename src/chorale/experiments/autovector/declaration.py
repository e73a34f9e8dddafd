"""Which stages a search has, and in which order. No heavy imports: functions are named by their import paths.

``lists`` -> ``features`` (array) -> ``store`` -> ``generation-000`` (array) -> ``breed-001`` -> ``generation-001`` ...
-> ``select`` -> ``finalists`` (array) -> ``summary``; the array ``random`` runs beside the generations.
Without a search: ``lists`` -> ``features`` (array) -> ``store`` -> ``train`` (ranks) -> ``summary``.
"""

from __future__ import annotations

from collections.abc import Sequence

from chorale.experiments.autovector.config import AutovectorConfig
from chorale.experiments.autovector.results import (
    FEATURES_STAGE,
    FINALISTS_STAGE,
    LISTS_STAGE,
    RANDOM_STAGE,
    SELECT_STAGE,
    STORE_STAGE,
    SUMMARY_STAGE,
    TRAIN_STAGE,
    breeding_stage,
    generation_stage,
)
from chorale.experiments.autovector.search import Individual, first_generation, random_arm
from chorale.runs.contract import Resources, Stage

_STAGES = "chorale.experiments.autovector.stages"


def first_stages(config: AutovectorConfig) -> list[Stage]:
    """Return the stages known from the start; ``lists`` declares ``features``, breeding the generations to come."""
    data = [
        Stage(name=LISTS_STAGE, function=f"{_STAGES}.data:make_lists"),
        Stage(name=STORE_STAGE, function=f"{_STAGES}.data:close_store", needs=(FEATURES_STAGE,)),
    ]
    return [*data, *(_single_network(config) if config.search.algorithm == "none" else _search(config))]


def _single_network(config: AutovectorConfig) -> list[Stage]:
    wished = Resources(nodes=config.backend.nodes, ranks_per_node=config.backend.ranks_per_node)
    training = Stage(
        name=TRAIN_STAGE,
        function=f"{_STAGES}.network:train",
        kind=config.backend.stage_kind,
        needs=(STORE_STAGE,),
        resources=wished,
    )
    return [training, Stage(name=SUMMARY_STAGE, function=f"{_STAGES}.network:summarise", needs=(TRAIN_STAGE,))]


def _search(config: AutovectorConfig) -> list[Stage]:
    stages = [candidate_array(RANDOM_STAGE, STORE_STAGE, random_arm(config.search, config.space, config.seed))]
    if config.search.algorithm == "ageing-evolution":
        founders = first_generation(config.search, config.space, config.seed)
        stages += [candidate_array(generation_stage(0), STORE_STAGE, founders), after_generation(0, config)]
    else:
        stages.append(selection_stage((RANDOM_STAGE,)))
    return [*stages, Stage(name=SUMMARY_STAGE, function=f"{_STAGES}.finalists:summarise", needs=(FINALISTS_STAGE,))]


def features_array(shards: int) -> Stage:
    """Return the array that computes the features, one shard per item."""
    return Stage(
        name=FEATURES_STAGE,
        function=f"{_STAGES}.data:make_shard",
        needs=(LISTS_STAGE,),
        kind="array",
        items=tuple(range(shards)),
    )


def next_generation(generation: int, children: Sequence[Individual], config: AutovectorConfig) -> list[Stage]:
    """Return the array of a generation that was just bred, and what follows it."""
    array = candidate_array(generation_stage(generation), breeding_stage(generation), children)
    return [array, after_generation(generation, config)]


def candidate_array(name: str, needs: str, individuals: Sequence[Individual]) -> Stage:
    """Return an array with one candidate per item; one that fails does not fail it."""
    return Stage(
        name=name,
        function=f"{_STAGES}.search:candidate",
        needs=(needs,),
        kind="array",
        items=tuple(individual.to_json() for individual in individuals),
        tolerant=True,
    )


def after_generation(generation: int, config: AutovectorConfig) -> Stage:
    """Return what follows a generation: breeding the next, or after the last the selection of finalists."""
    name = generation_stage(generation)
    if generation >= config.search.generations:
        return selection_stage((name, RANDOM_STAGE))
    return Stage(name=breeding_stage(generation + 1), function=f"{_STAGES}.search:breed_next", needs=(name,))


def selection_stage(needs: tuple[str, ...]) -> Stage:
    """Return the stage that selects the finalists."""
    return Stage(name=SELECT_STAGE, function=f"{_STAGES}.finalists:select", needs=needs)


def finalists_array(items: Sequence[dict[str, object]]) -> Stage:
    """Return the array that trains the finalists, one training per item."""
    return Stage(
        name=FINALISTS_STAGE,
        function=f"{_STAGES}.finalists:finalist",
        needs=(SELECT_STAGE,),
        kind="array",
        items=tuple(items),
        tolerant=True,
    )
