"""What a clip says, and when each viseme of it is spoken."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files as package_files
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from chorale.core.errors import InputError
from chorale.data.corpora.festvox_ru import read_festvox_ru
from chorale.data.corpora.rendered.emotions import Prosody
from chorale.data.corpora.rendered.mouth import TimedViseme
from chorale.data.corpora.rendered.visemes import espeak_viseme, festvox_viseme
from chorale.data.corpora.transcripts import Phone, Transcript
from chorale.media.audio.io import read_audio, waveform_at
from chorale.media.speech.espeak import speak

SAMPLE_RATE_HZ = 16000
"""Of every clip's sound."""

_USUAL_RMS = 0.06
_SILENCE_S = 0.12  # Before and after: lips part before a sound.


class Part(NamedTuple):
    """A sentence, or what is spoken of it between two pauses.

    Attributes:
        sentence: Its key; parts of one sentence are never on both sides of a split.
        text: For a synthesiser; empty for a recording.
        phones: Of a recording, from its beginning; empty for a synthesiser.
        recording: The recording.
    """

    sentence: str
    text: str = ""
    phones: tuple[Phone, ...] = ()
    recording: Path | None = None


class Spoken(NamedTuple):
    """Speech.

    Attributes:
        waveform: ``(samples,)`` float32 at 16 kHz.
        visemes: In order of time.
    """

    waveform: torch.Tensor
    visemes: list[TimedViseme]


def written_parts() -> list[Part]:
    """Return the sentences that synthesised voices say."""
    lines = (package_files(__package__) / "sentences.txt").read_text().splitlines()
    return [Part(f"sentence-{number:02d}", line) for number, line in enumerate(lines) if line.strip()]


def recorded_parts(root: Path, shortest_s: float, longest_s: float) -> list[Part]:
    """Return what festvox-ru's speaker says from pause to pause, as long as asked for.

    Args:
        root: Of the voice.
        shortest_s: A part has at least so many seconds.
        longest_s: And at most so many.

    Raises:
        InputError: The corpus is not there, or has no such part.
    """
    parts = [part for said in read_festvox_ru(root) for part in _between_pauses(said, shortest_s, longest_s)]
    if not parts:
        raise InputError(f"{root}: nothing of {shortest_s:g} to {longest_s:g} s between pauses", "set shortest_s lower")
    return parts


def synthesise(part: Part, voice: str, prosody: Prosody) -> Spoken:
    """Let a synthesiser say a sentence.

    Args:
        part: With a text.
        voice: eSpeak's.
        prosody: How.

    Raises:
        InputError: eSpeak NG is not there, or has no such voice.
    """
    said = speak(voice, part.text, prosody.pitch, prosody.span, prosody.rate)
    waveform = waveform_at(SAMPLE_RATE_HZ, said.samples, said.rate_hz, Path(voice))
    end_s = len(said.samples) / said.rate_hz
    starts = [event.start_s for event in said.events] + [end_s]
    visemes: list[TimedViseme] = []
    for event, until_s in zip(said.events, starts[1:], strict=True):
        viseme = espeak_viseme(event.phone)
        if viseme is None and visemes:
            visemes[-1] = visemes[-1]._replace(end_s=until_s)
        elif viseme is not None and until_s > event.start_s:
            visemes.append(TimedViseme(viseme, event.start_s, until_s))
    return _finished(waveform, visemes, prosody)


def say_again(part: Part, prosody: Prosody) -> Spoken:
    """Let a recording be spoken otherwise.

    Args:
        part: Of a recording.
        prosody: How.

    Raises:
        MissingExtraError: pyworld is not installed.
    """
    from chorale.media.speech.world import spoken_otherwise

    assert part.recording is not None
    first_s, last_s = part.phones[0].start_s, part.phones[-1].end_s
    samples = read_audio(part.recording, SAMPLE_RATE_HZ, first_s, last_s).numpy()
    said = spoken_otherwise(samples, SAMPLE_RATE_HZ, prosody.pitch, prosody.span, prosody.rate)
    visemes = [
        TimedViseme(
            festvox_viseme(phone.symbol),
            (phone.start_s - first_s) / prosody.rate,
            (phone.end_s - first_s) / prosody.rate,
        )
        for phone in part.phones
    ]
    return _finished(torch.from_numpy(said), visemes, prosody)


def loudness_db(waveform: torch.Tensor, samples_per_frame: int) -> NDArray[np.float64]:
    """Return the level of each frame, ``(frames,)``, with a floor of -60 dB.

    Args:
        waveform: ``(samples,)``, a whole number of frames.
        samples_per_frame: At 16 kHz.
    """
    power = waveform.numpy().astype(np.float64).reshape(-1, samples_per_frame) ** 2
    level: NDArray[np.float64] = 10 * np.log10(np.maximum(power.mean(axis=1), 1e-6))
    return level


def _between_pauses(said: Transcript, shortest_s: float, longest_s: float) -> list[Part]:
    parts: list[Part] = []
    run: list[Phone] = []
    for phone in [*said.phones, Phone("pau", 0.0, 0.0)]:
        if phone.symbol != "pau":
            run.append(phone)
            continue
        if run and shortest_s <= run[-1].end_s - run[0].start_s <= longest_s:
            parts.append(Part(said.key, "", tuple(run), said.clip.path))
        run = []
    return parts


def _finished(waveform: torch.Tensor, visemes: Sequence[TimedViseme], prosody: Prosody) -> Spoken:
    """Bring to one loudness times the clip's own, and put silence around."""
    rms = float(waveform.square().mean().sqrt())
    gain = _USUAL_RMS / max(rms, 1e-6) * 10 ** (prosody.gain_db / 20)
    louder = (waveform * gain).clamp(-1.0, 1.0)
    silence = torch.zeros(round(_SILENCE_S * SAMPLE_RATE_HZ))
    end_s = _SILENCE_S + len(waveform) / SAMPLE_RATE_HZ
    moved = [one._replace(start_s=one.start_s + _SILENCE_S, end_s=one.end_s + _SILENCE_S) for one in visemes]
    around = [TimedViseme("rest", 0.0, _SILENCE_S), *moved, TimedViseme("rest", end_s, end_s + _SILENCE_S)]
    return Spoken(torch.cat([silence, louder, silence]), around)
