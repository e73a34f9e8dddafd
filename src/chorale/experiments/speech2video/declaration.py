"""Which stages a run has, and in which order. No heavy imports: functions are named by their import paths.

A rendered corpus: ``heads`` -> ``render`` (array) -> ``lists``; any other begins with ``lists``. Then ``lists`` ->
``faces`` (array) -> ``store``.
"""

from __future__ import annotations

from chorale.experiments.speech2video.config import SpeechVideoConfig
from chorale.experiments.speech2video.results import (
    FACES_STAGE,
    HEADS_STAGE,
    LISTS_STAGE,
    RENDER_STAGE,
    STORE_STAGE,
)
from chorale.runs.contract import Stage

_STAGES = "chorale.experiments.speech2video.stages"


def first_stages(config: SpeechVideoConfig) -> list[Stage]:
    """Return the stages known from the start: the array of faces is declared once the clips are counted."""
    rendering = _rendering(config)
    needs = tuple(stage.name for stage in rendering[-1:])
    return [
        *rendering,
        Stage(name=LISTS_STAGE, function=f"{_STAGES}.preparing:make_lists", needs=needs),
        Stage(name=STORE_STAGE, function=f"{_STAGES}.preparing:close_store", needs=(FACES_STAGE,)),
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
