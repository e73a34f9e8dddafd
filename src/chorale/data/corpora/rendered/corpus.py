"""A whole rendered corpus: which clips there are, drawing some of them, and the list of all."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from chorale.core.errors import InputError
from chorale.core.files import write_text
from chorale.core.progress import Progress
from chorale.core.seeds import seed_for
from chorale.data.corpora.festvox_ru import find_festvox_ru
from chorale.data.corpora.fetch import fetched_corpus
from chorale.data.corpora.rendered.anatomy import anatomy_of
from chorale.data.corpora.rendered.cast import cast_of
from chorale.data.corpora.rendered.clip import write_clip
from chorale.data.corpora.rendered.config import Emotion, RenderedConfig
from chorale.data.corpora.rendered.emotions import draw_prosody
from chorale.data.corpora.rendered.painter import HeadPainter
from chorale.data.corpora.rendered.speech import Part, recorded_parts, say_again, synthesise, written_parts

LIST = "clips.csv"
"""Written last: with it the corpus is whole."""
_VERSION = 1
"""Of how clips are drawn and spoken: to be raised where the same configuration gives other files than before."""
_COLUMNS = ("file", "speaker", "emotion", "sentence", "phones")


class PlannedClip(NamedTuple):
    """One clip of a corpus.

    Attributes:
        speaker: Number of the speaker.
        emotion: Shown and heard.
        take: Number of the clip among those of its speaker and emotion.
    """

    speaker: int
    emotion: Emotion
    take: int

    @property
    def key(self) -> str:
        """Its name, and what every draw of it is keyed by."""
        return f"{self.speaker:02d}-{self.emotion}-{self.take:02d}"

    @property
    def file(self) -> str:
        """Its video within the corpus."""
        return f"speaker-{self.speaker:02d}/{self.key}.mp4"


def corpus_folder(config: RenderedConfig, cache: Path) -> Path:
    """Return where a corpus lies in the cache."""
    return cache / "rendered" / f"corpus-{config.identity()}-{_VERSION}"


def planned_clips(config: RenderedConfig) -> list[PlannedClip]:
    """Return all clips of a corpus, in their order."""
    return [
        PlannedClip(speaker, emotion, take)
        for speaker in range(config.speakers)
        for emotion in config.emotion_names
        for take in range(config.clips)
    ]


def render_clips(config: RenderedConfig, clips: Sequence[PlannedClip], cache: Path) -> int:
    """Draw those of some clips that are not there yet; each is whole or not there.

    Args:
        config: Of the corpus.
        clips: Of it.
        cache: Of the user.

    Returns:
        Clips drawn now.

    Raises:
        InputError: Something that is needed is not installed or fetched.
    """
    folder = corpus_folder(config, cache)
    # The moments of visemes are written after the video.
    missing = [clip for clip in clips if not (folder / clip.file).with_suffix(".json").is_file()]
    if not missing:
        return 0
    speakers = cast_of(config)
    painter = HeadPainter(anatomy_of([speaker.look for speaker in speakers], cache), config.height, config.width)
    texts, recordings = written_parts(), _recordings(config, cache)
    with Progress("render", len(missing), " clips") as progress:
        for clip in missing:
            speaker = speakers[clip.speaker]
            prosody = draw_prosody(config.seed, clip.key, clip.emotion)
            if speaker.voice.name is None:
                spoken = say_again(part_of(config, clip, recordings), prosody)
            else:
                spoken = synthesise(part_of(config, clip, texts), speaker.voice.name, prosody)
            write_clip(folder / clip.file, clip.key, config.seed, clip.emotion, spoken, speaker, clip.speaker, painter)
            progress.advance()
    painter.close()
    return len(missing)


def write_list(config: RenderedConfig, cache: Path) -> Path:
    """Write the list of a corpus whose clips are all drawn, and return the corpus's folder.

    Raises:
        InputError: A clip is missing.
    """
    folder = corpus_folder(config, cache)
    texts, recordings, speakers = written_parts(), _recordings(config, cache), cast_of(config)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for clip in planned_clips(config):
        phones = Path(clip.file).with_suffix(".json")
        if not (folder / phones).is_file():
            raise InputError(f"{folder / clip.file}: not rendered", "run: chorale corpora render")
        parts = texts if speakers[clip.speaker].voice.name else recordings
        sentence = part_of(config, clip, parts).sentence
        writer.writerow((clip.file, speakers[clip.speaker].name, clip.emotion, sentence, phones))
    write_text(folder / LIST, table.getvalue())
    return folder


def _recordings(config: RenderedConfig, cache: Path) -> list[Part]:
    if not config.recorded:
        return []
    fetched = fetched_corpus("festvox-ru", cache)
    if fetched is None:
        raise InputError(f"festvox-ru: not fetched into {cache}", "run: chorale corpora fetch festvox-ru")
    return recorded_parts(find_festvox_ru(fetched.folders[0]), config.shortest_s, config.longest_s)


def part_of(config: RenderedConfig, clip: PlannedClip, parts: Sequence[Part]) -> Part:
    """Return what a clip says: over a speaker's clips no sentence twice before each was said once."""
    number = config.emotion_names.index(clip.emotion) * config.clips + clip.take
    # Another order for every speaker, so that a sentence goes with no emotion.
    order = np.random.default_rng(seed_for(config.seed, "sentences", clip.speaker)).permutation(len(parts))
    return parts[int(order[number % len(parts)])]
