"""Which stages a run has, and in which order. No heavy imports: functions are named by their import paths.

A rendered corpus: ``heads`` -> ``render`` (array) -> ``lists``; any other begins with ``lists``. Then ``lists`` ->
``faces`` (array) -> ``store`` -> ``listen``, ``teach-emotion`` and ``teach-identity`` (ranks), as the mode says ->
``summary``.
"""

from __future__ import annotations

from chorale.experiments.speech2video.config import SpeechVideoConfig
from chorale.experiments.speech2video.results import (
    EMOTION_STAGE,
    FACES_STAGE,
    HEADS_STAGE,
    IDENTITY_STAGE,
    LISTEN_STAGE,
    LISTS_STAGE,
    RENDER_STAGE,
    STORE_STAGE,
    SUMMARY_STAGE,
    TRAININGS,
)
from chorale.runs.contract import Resources, Stage

_STAGES = "chorale.experiments.speech2video.stages"
_TRAININGS = {
    LISTEN_STAGE: "listening:listen",
    EMOTION_STAGE: "teaching:teach_emotion",
    IDENTITY_STAGE: "teaching:teach_identity",
}


def first_stages(config: SpeechVideoConfig) -> list[Stage]:
    """Return the stages known from the start: the array of faces is declared once the clips are counted."""
    rendering = _rendering(config)
    needs = tuple(stage.name for stage in rendering[-1:])
    trainings = [_of_ranks(name, _TRAININGS[name], STORE_STAGE, config) for name in TRAININGS[config.mode]]
    ends = tuple(stage.name for stage in trainings) or (STORE_STAGE,)
    return [
        *rendering,
        Stage(name=LISTS_STAGE, function=f"{_STAGES}.preparing:make_lists", needs=needs),
        Stage(name=STORE_STAGE, function=f"{_STAGES}.preparing:close_store", needs=(FACES_STAGE,)),
        *trainings,
        Stage(name=SUMMARY_STAGE, function=f"{_STAGES}.summary:summarise", needs=ends),
    ]


def faces_array(shards: int) -> Stage:
    """Return the array that prepares clips, one shard an item."""
    return Stage(
        name=FACES_STAGE,
        function=f"{_STAGES}.preparing:make_shard",
        needs=(LISTS_STAGE,),
        kind="array",
        items=tuple(range(shards)),
    )


def _of_ranks(name: str, function: str, needs: str, config: SpeechVideoConfig) -> Stage:
    wished = Resources(nodes=config.backend.nodes, ranks_per_node=config.backend.ranks_per_node)
    kind = config.backend.stage_kind
    return Stage(name=name, function=f"{_STAGES}.{function}", kind=kind, needs=(needs,), resources=wished)


def _rendering(config: SpeechVideoConfig) -> list[Stage]:
    if config.rendered is None:
        return []
    shards = -(-config.rendered.count // config.shard_clips)
    heads = Stage(name=HEADS_STAGE, function=f"{_STAGES}.rendering:make_heads")
    render = Stage(
        name=RENDER_STAGE,
        function=f"{_STAGES}.rendering:render_shard",
        needs=(HEADS_STAGE,),
        kind="array",
        items=tuple(range(shards)),
    )
    return [heads, render]
