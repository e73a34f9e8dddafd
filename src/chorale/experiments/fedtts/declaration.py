"""Which stages a synthesiser has, and in which order. No heavy imports: functions are named by their import paths.

``lists`` -> ``features`` (array) -> ``store`` -> ``train`` (ranks of torch, or of MPI for a federation and for Horovod)
-> ``speak`` -> ``summary``. A comparison: ... ``store`` -> ``targets`` (array) and ``arms`` (array) -> ``summary``.
"""

from __future__ import annotations

from collections.abc import Sequence

from chorale.experiments.fedtts.comparison.arms import BASE, arms_of
from chorale.experiments.fedtts.config import FedttsConfig
from chorale.experiments.fedtts.results import (
    ARMS_STAGE,
    FEATURES_STAGE,
    LISTS_STAGE,
    SPEAK_STAGE,
    STORE_STAGE,
    SUMMARY_STAGE,
    TARGETS_STAGE,
    TRAIN_STAGE,
)
from chorale.runs.contract import Resources, Stage

_STAGES = "chorale.experiments.fedtts.stages"
_COMPARISON = "chorale.experiments.fedtts.comparison.stages"


def first_stages(config: FedttsConfig) -> list[Stage]:
    """Return the stages known from the start; ``lists`` declares ``features``."""
    data = [
        Stage(name=LISTS_STAGE, function=f"{_STAGES}.data:make_lists"),
        Stage(name=STORE_STAGE, function=f"{_STAGES}.data:close_store", needs=(FEATURES_STAGE,)),
    ]
    return [*data, *(_comparison(config) if config.mode == "comparison" else _training(config))]


def _training(config: FedttsConfig) -> list[Stage]:
    return [
        _central(config) if config.mode == "central" else _federated(config),
        Stage(name=SPEAK_STAGE, function=f"{_STAGES}.speaking:speak_held_out", needs=(TRAIN_STAGE,)),
        Stage(name=SUMMARY_STAGE, function=f"{_STAGES}.summary:summarise", needs=(SPEAK_STAGE,)),
    ]


def _comparison(config: FedttsConfig) -> list[Stage]:
    plan = config.comparison
    compared = [(arm, seed) for arm in arms_of(config) for seed in plan.seeds]
    return [
        _trainings(TARGETS_STAGE, [(BASE, seed) for seed in plan.target_seeds]),
        # A training that diverges says something about its arm, and is counted.
        _trainings(ARMS_STAGE, compared, tolerant=True),
        Stage(name=SUMMARY_STAGE, function=f"{_COMPARISON}:compare", needs=(TARGETS_STAGE, ARMS_STAGE)),
    ]


def _trainings(name: str, arms: Sequence[tuple[str, int]], tolerant: bool = False) -> Stage:
    items = tuple({"arm": arm, "seed": seed} for arm, seed in arms)
    function = f"{_COMPARISON}:train_arm"
    return Stage(name=name, function=function, needs=(STORE_STAGE,), kind="array", items=items, tolerant=tolerant)


def features_array(shards: int) -> Stage:
    """Return the array that computes the features, one shard per item."""
    return Stage(
        name=FEATURES_STAGE,
        function=f"{_STAGES}.data:make_shard",
        needs=(LISTS_STAGE,),
        kind="array",
        items=tuple(range(shards)),
    )


def _central(config: FedttsConfig) -> Stage:
    return Stage(
        name=TRAIN_STAGE,
        function=f"{_STAGES}.central:train",
        kind=config.backend.stage_kind,
        needs=(STORE_STAGE,),
        resources=Resources(nodes=config.backend.nodes, ranks_per_node=config.backend.ranks_per_node),
    )


def _federated(config: FedttsConfig) -> Stage:
    return Stage(
        name=TRAIN_STAGE,
        function=f"{_STAGES}.federated:train",
        kind="mpi",
        needs=(STORE_STAGE,),
        # One host each, as clients are; a launcher may put several on a host, for that changes no result.
        resources=Resources(nodes=config.where.ranks, ranks_per_node=1),
    )
