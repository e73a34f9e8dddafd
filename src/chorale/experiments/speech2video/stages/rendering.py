"""A rendered corpus: heads first, then clips, many at once."""

from __future__ import annotations

from chorale.data.corpora.rendered.anatomy import anatomy_of
from chorale.data.corpora.rendered.cast import cast_of
from chorale.data.corpora.rendered.program import render_apart
from chorale.experiments.speech2video.config import SpeechVideoConfig
from chorale.ranks.device import set_threads
from chorale.runs.context import Context
from chorale.runs.contract import Outcome


def make_heads(context: Context, config: SpeechVideoConfig) -> Outcome:
    """Make the speakers' heads, once for all who draw them.

    Raises:
        MissingExtraError: The parametric head is not installed.
    """
    assert config.rendered is not None
    set_threads(context.where.threads)
    anatomy = anatomy_of([speaker.look for speaker in cast_of(config.rendered)], context.where.cache)
    return Outcome({"heads": len(anatomy.heads), "points": anatomy.template.shape[0]})


def render_shard(context: Context, config: SpeechVideoConfig) -> Outcome:
    """Draw the clips of one shard that the cache does not hold.

    Raises:
        InputError: Something that drawing or speaking needs is not installed or fetched.
    """
    assert config.rendered is not None
    first: int = context.item * config.shard_clips
    last = min(config.rendered.count, first + config.shard_clips)
    drawn = render_apart(config.rendered, context.where.cache, first, last)
    return Outcome({"clips": last - first, "drawn_now": drawn})
