"""Who speaks in the fetched packages.

What is left out, and why (voices compared with a published speaker encoder, Resemblyzer 0.1.4): Serbian's three
variants are the recordings of ``sr``; ``ca`` of ktuberling mixes voices; ``nds`` of ktuberling is the speaker of
klettres; ``da/syllab`` of klettres may not be the speaker of ``da/alpha``. The two halves of klettres' ``de`` are two
people.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from chorale.core.errors import InputError
from chorale.data.corpora import catalogue
from chorale.data.corpora.rttm import clean_stretches, cut, read_rttm
from chorale.data.corpora.utterances import Clip, Utterance, join_clips
from chorale.media.audio.io import AUDIO_SUFFIXES

_SHORTEST_TURN_S = 1.0
_MEETING_SHARE = 0.5
"""People in a meeting seldom speak 3 s alone: their utterances are half as long as the others'."""
_KLETTRES_TWO_PEOPLE = frozenset({"de"})
_KLETTRES_LEFT_OUT = frozenset({"da/syllab"})
_KTUBERLING_LEFT_OUT = frozenset({"ca", "nds", "sr@ijekavian", "sr@ijekavianlatin", "sr@latin"})
_ASTERISK_NOT_SPEECH = frozenset({"beep", "beeperr", "ascending-2tone", "descending-2tone"})

Voice = tuple[str, str, str, list[Clip]]
"""Speaker, language, group, clips."""
Reader = Callable[[Path, float], Iterator[Voice]]


def read_packages(folders: list[Path], join_s: float) -> list[Utterance]:
    """Return the utterances of every speaker in the packages, in a fixed order.

    Args:
        folders: Unpacked packages, as ``fetch_corpus`` returns them.
        join_s: Length that joined clips reach at least.

    Raises:
        InputError: Nothing is known about the speakers of a package.
    """
    utterances: list[Utterance] = []
    for folder in folders:
        reader = _reader(folder)
        length_s = join_s * _MEETING_SHARE if reader is _pyannote else join_s
        for speaker, language, group, clips in reader(folder, length_s):
            utterances.extend(join_clips(speaker, language, group, clips, length_s))
    return utterances


def _reader(folder: Path) -> Reader:
    readers = {
        catalogue.KLETTRES.folder_name: _klettres,
        catalogue.KTUBERLING.folder_name: _ktuberling,
        catalogue.PYANNOTE.folder_name: _pyannote,
        catalogue.LJSPEECH_SAMPLE.folder_name: _ljspeech,
    }
    if folder.name.startswith("asterisk-"):
        return _asterisk
    if folder.name not in readers:
        raise InputError(f"{folder.name}: its speakers are not known", "use corpus: speakers or speakers-pypi")
    return readers[folder.name]


def _klettres(folder: Path, join_s: float) -> Iterator[Voice]:
    for directory in sorted((folder / "usr/share/klettres").iterdir()):
        language = directory.name
        halves = {
            half: _clips(directory / half)
            for half in ("alpha", "syllab")
            if f"{language}/{half}" not in _KLETTRES_LEFT_OUT and (directory / half).is_dir()
        }
        if language in _KLETTRES_TWO_PEOPLE:
            for half, clips in halves.items():
                yield f"klettres-{language}-{half}", language, "klettres", clips
        elif halves:
            yield f"klettres-{language}", language, "klettres", [c for clips in halves.values() for c in clips]


def _ktuberling(folder: Path, join_s: float) -> Iterator[Voice]:
    for directory in sorted((folder / "usr/share/ktuberling/sounds").iterdir()):
        if directory.is_dir() and directory.name not in _KTUBERLING_LEFT_OUT:
            yield f"ktuberling-{directory.name}", directory.name, "ktuberling", _clips(directory)


def _asterisk(folder: Path, join_s: float) -> Iterator[Voice]:
    name = folder.name.removeprefix("asterisk-").removeprefix("core-sounds-").removeprefix("prompt-")
    language = name[:2]
    clips = [
        clip
        for clip in _clips(folder / "usr/share/asterisk/sounds")
        if clip.path.stem not in _ASTERISK_NOT_SPEECH and clip.path.parent.name != "silence"
    ]
    voice = name.split("-g722")[0].split("-wav")[0].rstrip("-0123456789.")
    yield f"asterisk-{voice}", language, "asterisk", clips


def _pyannote(folder: Path, join_s: float) -> Iterator[Voice]:
    data = next(folder.glob("pyannote*/tests/data"))
    # One file's name carries an accent (a test of theirs) that the RTTM's recording does not.
    paths = {_without_accents(path.stem): path for path in sorted(data.glob("*.wav"))}
    clips: dict[str, list[Clip]] = defaultdict(list)
    for rttm in sorted(data.glob("*.rttm")):
        for turn in clean_stretches(read_rttm(rttm), _SHORTEST_TURN_S):
            clips[_without_accents(turn.speaker)].extend(cut(turn, paths[_without_accents(turn.recording)], join_s))
    for speaker in sorted(clips):
        yield f"meeting-{speaker}", "en", "meeting", clips[speaker]


def _ljspeech(folder: Path, join_s: float) -> Iterator[Voice]:
    yield "ljspeech", "en", "ljspeech", _clips(next(folder.glob("TTS*/tests/data/ljspeech/wavs")))


def _without_accents(name: str) -> str:
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()


def _clips(directory: Path) -> list[Clip]:
    # Packages link some folders a second time; rglob does not follow those.
    paths = sorted(p for p in directory.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES and not p.is_symlink())
    return [Clip(path) for path in paths]
