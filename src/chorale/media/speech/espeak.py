"""eSpeak NG: speech from text, with the moment of every phone."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chorale.core.errors import InputError, MissingExtraError

_NORMAL_WPM, _SLOWEST_WPM, _QUICKEST_WPM = 160, 80, 400
_NORMAL, _MOST = 50, 99  # Of its parameters for pitch and range.
_TIME_LIMIT_S = 60.0


class Event(NamedTuple):
    """A phone begins."""

    phone: str
    """eSpeak's mnemonic."""
    start_s: float


class Speech(NamedTuple):
    """What eSpeak says.

    Attributes:
        samples: ``(samples,)`` in [-1, 1].
        rate_hz: Of the samples.
        events: In order of time.
    """

    samples: NDArray[np.float32]
    rate_hz: int
    events: list[Event]


def speak(
    voice: str,
    text: str,
    pitch: float = 1.0,
    span: float = 1.0,
    rate: float = 1.0,
) -> Speech:
    """Return a text as speech, a function of the arguments.

    A process of its own speaks: eSpeak's library keeps state from one text to the next, so that a second one would
    differ by some samples.

    Args:
        voice: Language and variant, such as ``en-us+f2``.
        text: Of any length.
        pitch: Factor of the voice's usual fundamental frequency.
        span: Factor of how far that moves.
        rate: Factor of speed; 1 is 160 words a minute.

    Raises:
        MissingExtraError: eSpeak NG is not installed.
        InputError: It has no such voice.
    """
    if find_spec("espeakng_loader") is None:
        raise MissingExtraError("espeakng-loader", "render")
    asked = {
        "voice": voice,
        "text": text,
        # Its table of pitches: fifty steps are an octave.
        "pitch": round(min(_MOST, max(0.0, _NORMAL + _NORMAL * math.log2(pitch)))),
        "range": round(min(_MOST, max(0.0, _NORMAL * span))),
        "wpm": round(min(_QUICKEST_WPM, max(_SLOWEST_WPM, _NORMAL_WPM * rate))),
    }
    done = subprocess.run(
        [sys.executable, "-m", "chorale.media.speech.espeak_program"],
        input=json.dumps(asked).encode(),
        capture_output=True,
        timeout=_TIME_LIMIT_S,
    )
    if done.returncode != 0:
        reason = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["it gave no reason"]
        raise InputError(f"eSpeak NG cannot speak as {voice} ({reason[0]})", "choose another voice")
    head, _, samples = done.stdout.partition(b"\n")
    told = json.loads(head)
    return Speech(
        np.frombuffer(samples, "<i2").astype(np.float32) / np.float32(2**15),
        told["rate_hz"],
        [Event(phone, sample / told["rate_hz"]) for phone, sample in told["events"]],
    )
