"""Talking faces, whichever layout a corpus has."""

from __future__ import annotations

from pathlib import Path

from chorale.core.errors import InputError
from chorale.data.corpora.fetch import fetched_corpus
from chorale.data.corpora.talking.clip import TalkingClip, limit_clips, require_distinct
from chorale.data.corpora.talking.config import TalkingFacesConfig
from chorale.data.corpora.talking.crema_d import read_crema_d
from chorale.data.corpora.talking.folder import read_clip_table
from chorale.data.corpora.talking.grid import read_grid
from chorale.data.corpora.talking.real import read_real_clips
from chorale.data.corpora.talking.videos import read_video_tree

_READERS = {
    "crema-d": read_crema_d,
    "grid": read_grid,
    "folder": read_clip_table,
    "videos": read_video_tree,
}


def read_talking_clips(config: TalkingFacesConfig, cache: Path) -> list[TalkingClip]:
    """Return the clips of a corpus, in its own order; the same on every machine that holds the same files.

    No video is opened: whether a face is seen in it is found out in the preparation.

    Args:
        config: Which corpus, and how many clips of it.
        cache: Where fetched packages lie.

    Raises:
        InputError: The corpus is not there, holds no clip, two clips share a name, or a table is not as its layout has
            it.
    """
    if config.corpus is not None:
        fetched = fetched_corpus(config.corpus, cache)
        if fetched is None:
            raise InputError(
                f"{config.corpus}: not fetched into {cache}", f"run: chorale corpora fetch {config.corpus}"
            )
        root, clips = fetched.folders[0], read_real_clips(fetched.folders)
    else:
        assert config.root is not None  # The config has checked it.
        root = config.root
        if not root.is_dir():
            raise InputError(f"{root}: no such directory", "set corpus.root to the top of the clips")
        clips = _READERS[config.layout](root)
    require_distinct(clips, root)
    return limit_clips(clips, config.max_clips)
