"""A tree of videos without a table: the folder in which a video lies is its speaker."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from chorale.core.errors import InputError
from chorale.data.corpora.talking.clip import TalkingClip
from chorale.media.video.opening import VIDEO_SUFFIXES


def read_video_tree(root: Path) -> list[TalkingClip]:
    """Read every video below the root, hidden ones aside; videos in the root itself are each a speaker of their own.

    The key is the path below the root without its suffix; with it, where two would be called alike.

    Raises:
        InputError: There is no video.
    """
    paths = sorted(
        path
        for path in root.rglob("*")
        if path.suffix.lower() in VIDEO_SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
    )
    if not paths:
        raise InputError(f"{root}: holds no video ({', '.join(sorted(VIDEO_SUFFIXES))})", "give a folder with some")
    names = [path.relative_to(root) for path in paths]
    alike = Counter(name.with_suffix("") for name in names)
    clips = []
    for path, name in zip(paths, names, strict=True):
        short = name.with_suffix("")
        key = (name if alike[short] > 1 else short).as_posix()
        speaker = name.parent.as_posix() if name.parent != Path() else key
        clips.append(TalkingClip(key=key, speaker=speaker, video=path))
    return clips
