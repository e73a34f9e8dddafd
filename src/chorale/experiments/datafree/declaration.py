"""Which stages a distillation has, and in which order. No heavy imports: functions are named by their import paths.

``teacher`` (ranks of torch, or of MPI for Horovod) -> ``distil`` (ranks) -> ``summary``. A comparison: ``teacher``
(ranks) -> ``arms`` (array: arms times seeds) -> ``summary``.
"""

from __future__ import annotations

from chorale.experiments.datafree.comparison.arms import arms_of
from chorale.experiments.datafree.config import DatafreeConfig
from chorale.experiments.datafree.results import ARMS_STAGE, DISTIL_STAGE, SUMMARY_STAGE, TEACHER_STAGE
from chorale.runs.contract import Resources, Stage

_STAGES = "chorale.experiments.datafree.stages"
_COMPARISON = "chorale.experiments.datafree.comparison.stages"


def first_stages(config: DatafreeConfig) -> list[Stage]:
    """Return all stages."""
    teacher = _of_ranks(TEACHER_STAGE, f"{_STAGES}.teaching:make_teacher", (), config)
    if config.mode == "comparison":
        return [teacher, _arms(config), _task(SUMMARY_STAGE, f"{_COMPARISON}:compare", ARMS_STAGE)]
    return [
        teacher,
        _of_ranks(DISTIL_STAGE, f"{_STAGES}.distilling:distil", (TEACHER_STAGE,), config),
        _task(SUMMARY_STAGE, f"{_STAGES}.summary:summarise", DISTIL_STAGE),
    ]


def _of_ranks(name: str, function: str, needs: tuple[str, ...], config: DatafreeConfig) -> Stage:
    wished = Resources(nodes=config.backend.nodes, ranks_per_node=config.backend.ranks_per_node)
    return Stage(name=name, function=function, kind=config.backend.stage_kind, needs=needs, resources=wished)


def _arms(config: DatafreeConfig) -> Stage:
    items = tuple({"arm": arm, "seed": seed} for arm in arms_of(config) for seed in config.comparison.seeds)
    # A distillation that diverges says something about its arm, and is counted.
    return Stage(
        name=ARMS_STAGE,
        function=f"{_COMPARISON}:distil_arm",
        needs=(TEACHER_STAGE,),
        kind="array",
        items=items,
        tolerant=True,
    )


def _task(name: str, function: str, needs: str) -> Stage:
    return Stage(name=name, function=function, needs=(needs,))
