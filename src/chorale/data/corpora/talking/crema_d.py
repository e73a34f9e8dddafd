"""CREMA-D: 91 actors, 12 sentences, 6 emotions (Cao et al. 2014); the names of the files are the labels."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from chorale.core.errors import InputError
from chorale.core.logs import get_logger
from chorale.data.corpora.talking.clip import TalkingClip

EMOTIONS = {"ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happy", "NEU": "neutral", "SAD": "sad"}
"""The emotion that the actor was asked for, by its code in the name."""

LEFT_OUT = {
    "1064_IEO_DIS_MD": "a minute of the sentence in several emotions",
    "1064_TIE_SAD_XX": "its pictures break off after 18 frames",
    "1076_MTI_NEU_XX": "its pictures break off after 3 frames",
    "1076_MTI_SAD_XX": "its recording is empty",
}
"""Clips that cannot be used, and why: the corpus's own notes name all four as broken; what is wrong with the pictures
is as users of the corpus counted it."""

_MISNAMED = {"1040_ITH_SAD_X": "1040_ITH_SAD_XX"}  # Issue 6 of the corpus; renamed there in October 2022.
_NAME = re.compile(r"(?P<actor>\d{4})_(?P<sentence>[A-Z]{3})_(?P<emotion>[A-Z]{3})_(?P<level>LO|MD|HI|XX)")
_VIDEOS = (("VideoFlash", ".flv"), ("VideoMP4", ".mp4"))
_POINTER = b"version https://git-lfs"
_log = get_logger(__name__)


def read_crema_d(root: Path) -> list[TalkingClip]:
    """Read ``root/VideoFlash/1001_DFA_ANG_XX.flv`` (or ``VideoMP4/*.mp4``) with ``root/AudioWAV/*.wav``.

    The key is the name; the emotion is what the actor was asked for, not what raters saw; a clip without a recording
    is heard from its video. Clips of :data:`LEFT_OUT`, and files of other names, are left out, and that is logged. The
    actors' sex is read from ``VideoDemographics.csv`` where it lies there.

    Raises:
        InputError: There is no folder of videos, the files are git-lfs pointers, or the actors' table is damaged.
    """
    folder, suffix = next(((root / name, suffix) for name, suffix in _VIDEOS if (root / name).is_dir()), (None, ""))
    if folder is None:
        raise InputError(f"{root}: holds neither VideoFlash nor VideoMP4", "set corpus.root to the top of CREMA-D")
    sexes = read_actors(root / "VideoDemographics.csv")
    recordings = {_right_name(path): path for path in sorted((root / "AudioWAV").glob("*.wav"))}
    clips, strange = [], []
    for path in sorted(folder.glob(f"*{suffix}")):
        name = _right_name(path)
        match = _NAME.fullmatch(name)
        if match is None or match["emotion"] not in EMOTIONS:
            strange.append(path)
        elif name in LEFT_OUT:
            _log.warning("%s: left out: %s", name, LEFT_OUT[name])
        else:
            clips.append(
                TalkingClip(
                    key=name,
                    speaker=match["actor"],
                    video=path,
                    audio=recordings.get(name),
                    emotion=EMOTIONS[match["emotion"]],
                    sentence=match["sentence"],
                    sex=sexes.get(match["actor"]),
                )
            )
    if strange:
        _log.warning("%s: left out, with %d in all: not named as 1001_DFA_ANG_XX", strange[0], len(strange))
    for clip in clips[:1]:
        for file in (clip.video, clip.audio):
            _refuse_pointer(file)
    return clips


def read_actors(path: Path) -> dict[str, str]:
    """Return each actor's sex in small letters, from ``VideoDemographics.csv``; nothing where the table is not there.

    Raises:
        InputError: The columns ActorID and Sex are not there, or it is not UTF-8.
    """
    if not path.is_file():
        return {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return {row["ActorID"].strip(): row["Sex"].strip().lower() for row in csv.DictReader(file)}
    except (KeyError, AttributeError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a table with ActorID and Sex", "restore it, or remove it") from error


def _right_name(path: Path) -> str:
    return _MISNAMED.get(path.stem, path.stem)


def _refuse_pointer(path: Path | None) -> None:
    # The repository keeps its media elsewhere; a plain download has a line of text in the place of each file.
    if path is None:
        return
    with path.open("rb") as file:
        if file.read(len(_POINTER)) == _POINTER:
            raise InputError(f"{path}: only a git-lfs pointer, not the clip itself", "fetch the files: git lfs pull")
