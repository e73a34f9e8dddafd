"""Intelligibility by a recogniser: error rates of what it hears against the text.

There is a recogniser for English. For other languages (Russian) :attr:`mcd.Distortion.db_per_frame`, the distance to
the recording of the same sentence, is what judges intelligibility.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chorale.core.errors import InputError, MissingExtraError

RECOGNISER_LANGUAGES = ("en",)
"""Languages that :class:`Recogniser` knows."""
_MODEL = "tiny-en"


class TextErrors(NamedTuple):
    """Error rates over all utterances together; above 1 where much is inserted.

    Attributes:
        characters: Character error rate: edits divided by the reference's characters, spaces among them.
        words: Word error rate.
    """

    characters: float
    words: float


def plain(text: str) -> str:
    """Return the text as it is compared: composed (NFKC), lower case, words of letters, digits and apostrophes."""
    composed = unicodedata.normalize("NFKC", text).replace("’", "'").lower()
    kept = (char if char == "'" or unicodedata.category(char)[0] in "LMN" else " " for char in composed)
    return " ".join("".join(kept).split())


def text_errors(references: Sequence[str], hypotheses: Sequence[str]) -> TextErrors:
    """Return the error rates of recognised texts.

    Args:
        references: What was to be said.
        hypotheses: What was heard, one for each.

    Raises:
        InputError: The numbers differ, or a reference holds no word.
        MissingExtraError: The package jiwer is not installed.
    """
    if len(references) != len(hypotheses):
        raise InputError(f"error rates: {len(references)} references and {len(hypotheses)} hypotheses")
    wanted, heard = [plain(text) for text in references], [plain(text) for text in hypotheses]
    if not wanted or not all(wanted):
        raise InputError("error rates: a reference holds no word", "leave that utterance out")
    try:
        import jiwer
    except ImportError as error:
        raise MissingExtraError("jiwer", "speech") from error
    return TextErrors(float(jiwer.cer(wanted, heard)), float(jiwer.wer(wanted, heard)))


class Recogniser:
    """An English recogniser that works offline: the smallest model of moonshine-voice, which ships in its package.

    Raises:
        MissingExtraError: The package moonshine-voice is not installed.
        InputError: The installed version brings no model.
    """

    def __init__(self) -> None:
        try:
            from moonshine_voice import ModelArch, Transcriber
            from moonshine_voice.utils import get_model_path
        except ImportError as error:
            raise MissingExtraError("moonshine-voice", "recogniser") from error
        folder = get_model_path(_MODEL)
        if not folder.is_dir():
            raise InputError(
                f"the installed moonshine-voice brings no model {_MODEL}", "install moonshine-voice 0.0.65"
            )
        self._transcriber = Transcriber(str(folder), ModelArch.TINY)

    def hear(self, samples: NDArray[np.float32], sample_rate_hz: int) -> str:
        """Return the text of a recording.

        Args:
            samples: In [-1, 1], ``(samples,)``.
            sample_rate_hz: Their rate.
        """
        transcript = self._transcriber.transcribe_without_streaming(samples.tolist(), sample_rate_hz)
        return " ".join(line.text for line in transcript.lines)
