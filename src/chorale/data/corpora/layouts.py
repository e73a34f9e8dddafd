"""Readers of corpora that users bring: VoxCeleb's layout, and a plain folder per speaker."""

from __future__ import annotations

from pathlib import Path

from chorale.core.errors import InputError
from chorale.data.corpora.utterances import Clip, Utterance
from chorale.media.audio.io import AUDIO_SUFFIXES


def read_voxceleb(root: Path) -> list[Utterance]:
    """Read ``root/id*/video/*.{wav,flac,m4a,...}``: one utterance a file, named as in VoxCeleb's own trial lists.

    Raises:
        InputError: The folder is missing or holds nothing of that form.
    """
    return _read(root, "id*/*/*", "voxceleb", "id10001/video/00001.wav")


def read_folder(root: Path) -> list[Utterance]:
    """Read ``root/speaker/*.{wav,...}``: one utterance a file.

    Raises:
        InputError: The folder is missing or holds nothing of that form.
    """
    return _read(root, "*/*", "folder", "speaker/recording.wav")


def _read(root: Path, pattern: str, group: str, example: str) -> list[Utterance]:
    if not root.is_dir():
        raise InputError(f"{root}: no such directory")
    paths = sorted(path for path in root.glob(pattern) if path.suffix.lower() in AUDIO_SUFFIXES)
    if not paths:
        raise InputError(f"{root}: no recordings of the form {example}", "check corpus.root and corpus.layout")
    utterances = []
    for path in paths:
        key = path.relative_to(root).as_posix()
        if any(character.isspace() for character in key):
            raise InputError(f"{path}: a name with white space cannot stand in a trial list", "rename it")
        utterances.append(Utterance(key, key.split("/")[0], "", group, (Clip(path),)))
    return utterances
