"""A speaker corpus, whichever layout it has."""

from __future__ import annotations

from pathlib import Path

from chorale.core.errors import InputError
from chorale.data.corpora.config import SpeakerCorpusConfig
from chorale.data.corpora.fetch import fetched_corpus
from chorale.data.corpora.layouts import read_folder, read_voxceleb
from chorale.data.corpora.package_speakers import read_packages
from chorale.data.corpora.utterances import Utterance, limit_utterances


def read_speakers(config: SpeakerCorpusConfig, cache: Path) -> list[Utterance]:
    """Return the utterances of a corpus, ordered by speaker; the same on every machine that holds the same files.

    Args:
        config: Which corpus.
        cache: Where fetched packages lie.

    Raises:
        InputError: The corpus is not there, or too few speakers are left.
    """
    if config.root is not None:
        reader = read_voxceleb if config.layout == "voxceleb" else read_folder
        utterances = reader(config.root)
    else:
        fetched = fetched_corpus(config.corpus, cache)
        if fetched is None:
            raise InputError(
                f"{config.corpus}: not fetched into {cache}", f"run: chorale corpora fetch {config.corpus}"
            )
        utterances = read_packages(fetched.folders, config.join_s)
    return limit_utterances(utterances, config.min_utterances, config.max_utterances)
