"""Who speaks: for every speaker a voice, and a face that goes with it."""

from __future__ import annotations

from typing import Final, NamedTuple

from chorale.data.corpora.rendered.config import VOICES, RenderedConfig
from chorale.data.corpora.rendered.looks import Look, draw_look


class Voice(NamedTuple):
    """A voice.

    Attributes:
        name: eSpeak's language and variant; None for the recorded one.
        woman: Whether it sounds like a woman's.
    """

    name: str | None
    woman: bool


RECORDED: Final = Voice(None, woman=False)
"""The man of festvox-ru."""

# Chosen by ear and by the spread of their pitch and timbre; each second one is a woman's.
_SYNTHESISED: Final = (
    Voice("en-us+m1", woman=False),
    Voice("en-us+f2", woman=True),
    Voice("en-gb-x-rp+Andy", woman=False),
    Voice("en-us+Annie", woman=True),
    Voice("en-us+iven", woman=False),
    Voice("en-us+f5", woman=True),
    Voice("en-gb-scotland+m5", woman=False),
    Voice("en-gb-x-rp+belinda", woman=True),
    Voice("en-us+m7", woman=False),
    Voice("en-us+steph", woman=True),
    Voice("en-us+adam", woman=False),
    Voice("en-gb-x-rp+f3", woman=True),
    Voice("en-us+Mario", woman=False),
    Voice("en-us+Alicia", woman=True),
    Voice("en-us+m3", woman=False),
    Voice("en-gb-scotland+linda", woman=True),
)
assert len(_SYNTHESISED) == VOICES


class Speaker(NamedTuple):
    """One of a corpus.

    Attributes:
        name: Such as ``speaker-03``.
        voice: Its voice.
        look: Its look.
    """

    name: str
    voice: Voice
    look: Look


def cast_of(config: RenderedConfig) -> list[Speaker]:
    """Return the speakers of a corpus."""
    voices = [RECORDED, *_SYNTHESISED[1:]] if config.recorded else list(_SYNTHESISED)
    return [
        Speaker(f"speaker-{number:02d}", voice, draw_look(config.seed, number, voice.woman))
        for number, voice in enumerate(voices[: config.speakers])
    ]
