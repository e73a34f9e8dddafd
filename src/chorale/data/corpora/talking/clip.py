"""What every reader of talking faces returns."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chorale.core.errors import InputError


@dataclass(frozen=True)
class TalkingClip:
    """A video, or a part of one, in which somebody is seen speaking.

    Attributes:
        key: Its name in stores and reports; unique in its corpus, free of machine paths.
        speaker: Who speaks.
        video: The file with the pictures.
        audio: The file with the sound; None where the video holds it.
        emotion: How it is said, in the corpus's own words; None where that is not known.
        sentence: What is said, as a name or as text: clips that share it are one utterance in splits. None where that
            is not known; the clip is then an utterance by itself.
        phones: A file with phones or words and their times; None where there is none.
        sex: The speaker's, as the corpus states it; None where it does not.
        start_s: First second of the part; the sound's file begins with the video's.
        end_s: Last second; None for the end.
    """

    key: str
    speaker: str
    video: Path
    audio: Path | None = None
    emotion: str | None = None
    sentence: str | None = None
    phones: Path | None = None
    sex: str | None = None
    start_s: float = 0.0
    end_s: float | None = None


def require_distinct(clips: Sequence[TalkingClip], where: Path) -> None:
    """Check that there are clips, and that no two share a key.

    Raises:
        InputError: There is none, or two do.
    """
    if not clips:
        raise InputError(f"{where}: holds no clip of a talking face", "check corpus.root and corpus.layout")
    seen: dict[str, Path] = {}
    for clip in clips:
        if clip.key in seen:
            raise InputError(f"{clip.video}: shares its name {clip.key} with {seen[clip.key]}", "rename one of them")
        seen[clip.key] = clip.video


def limit_clips(clips: Sequence[TalkingClip], maximum: int | None) -> list[TalkingClip]:
    """Return at most ``maximum`` clips, in their order; None returns all.

    A systematic sample of the clips ordered by speaker and emotion: clip ``(i + 1/2) n / maximum`` of n, for each i, so
    that every speaker and every emotion keeps its share to within one clip. Our choice.
    """
    count = len(clips)
    if maximum is None or maximum >= count:
        return list(clips)
    order = sorted(range(count), key=lambda at: (clips[at].speaker, clips[at].emotion or "", at))
    return [clips[at] for at in sorted(order[(2 * i + 1) * count // (2 * maximum)] for i in range(maximum))]


def fingerprint_clips(clips: Sequence[TalkingClip]) -> str:
    """Return 12 hexadecimal digits that change with the clips' labels and with their files' names and sizes.

    Raises:
        InputError: A file is missing.
    """
    digest = hashlib.sha256()
    for clip in clips:
        paths = [path for path in (clip.video, clip.audio, clip.phones) if path is not None]
        try:
            files = [(path.name, path.stat().st_size) for path in paths]
        except OSError as error:
            raise InputError(f"{error.filename}: {error.strerror}", f"restore it, or leave {clip.key} out") from error
        labels = (clip.key, clip.speaker, clip.emotion, clip.sentence, clip.start_s, clip.end_s)
        digest.update(repr((labels, files)).encode())
    return digest.hexdigest()[:12]
