"""Recordings with what is said in them, whichever layout they have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from chorale.core.errors import InputError
from chorale.data.corpora.fetch import fetched_corpus
from chorale.data.corpora.utterances import Clip

TranscriptLayout = Literal["festvox-ru", "ljspeech", "fillets"]

CORPUS_OF_LAYOUT: dict[TranscriptLayout, str] = {
    "festvox-ru": "festvox-ru",
    "ljspeech": "ljspeech-sample",
    "fillets": "fillets",
}
"""The catalogue's corpus in each layout."""


class Phone(NamedTuple):
    """A phone and when it is spoken, as the corpus labels it."""

    symbol: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Transcript:
    """A recording and its text.

    Attributes:
        key: Its name; no white space, unique in its corpus, free of machine paths.
        speaker: Who speaks.
        language: Language tag.
        group: Chapter, recording session or scene: what is said in one go, and what clients may differ by.
        text: What is said, as the corpus writes it.
        clip: Where it is heard.
        phones: In order and without gaps, where the corpus has labels; times count from the clip's begin.
    """

    key: str
    speaker: str
    language: str
    group: str
    text: str
    clip: Clip
    phones: tuple[Phone, ...] = ()


def read_transcripts(
    layout: TranscriptLayout, root: Path | None, languages: Sequence[str], cache: Path
) -> list[Transcript]:
    """Return the recordings of a corpus, in its own order; the same on every machine that holds the same files.

    Args:
        layout: How its files are arranged.
        root: Top of the user's own tree; None for the catalogue's package.
        languages: Of ``fillets``: which to read.
        cache: Where fetched packages lie.

    Raises:
        InputError: The corpus is not there, or a file or a line of it is not as the layout has it.
    """
    # The readers build on the classes above.
    from chorale.data.corpora.festvox_ru import find_festvox_ru, read_festvox_ru
    from chorale.data.corpora.fillets import find_fillets, read_fillets
    from chorale.data.corpora.ljspeech import find_ljspeech, read_ljspeech

    roots = [root] if root is not None else _fetched(CORPUS_OF_LAYOUT[layout], cache)
    for directory in roots:
        if not directory.is_dir():
            raise InputError(f"{directory}: no such directory", "set corpus.root to the top of the recordings")
    if layout == "fillets":
        transcripts = read_fillets(find_fillets(roots), languages)
    elif layout == "ljspeech":
        transcripts = read_ljspeech(roots[0] if root is not None else find_ljspeech(roots[0]))
    else:
        transcripts = read_festvox_ru(roots[0] if root is not None else find_festvox_ru(roots[0]))
    if not transcripts:
        raise InputError(f"{roots[0]}: holds no recording with a text", "check corpus.root and corpus.layout")
    return transcripts


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file that a corpus must have.

    Raises:
        InputError: It is missing, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file", "check corpus.root and corpus.layout") from error
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise InputError(f"{path}: line {line}: not UTF-8", "save the file as UTF-8") from error


def _fetched(corpus: str, cache: Path) -> list[Path]:
    fetched = fetched_corpus(corpus, cache)
    if fetched is None:
        raise InputError(f"{corpus}: not fetched into {cache}", f"run: chorale corpora fetch {corpus}")
    return fetched.folders
