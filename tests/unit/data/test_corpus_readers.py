from pathlib import Path

import numpy as np
import pytest
import soundfile

from chorale.core.errors import InputError
from chorale.data.corpora import catalogue
from chorale.data.corpora.config import SpeakerCorpusConfig
from chorale.data.corpora.package_speakers import read_packages
from chorale.data.corpora.rttm import Turn, clean_stretches, cut, read_rttm
from chorale.data.corpora.speakers import read_speakers
from chorale.data.corpora.utterances import Clip, fingerprint, join_clips

pytestmark = pytest.mark.unit
RATE = 8000


def record(path: Path, seconds: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full(round(seconds * RATE), 0.1, np.float32), RATE)
    return path


def test_voxcelebs_layout_is_read_with_the_names_of_its_trial_lists(tmp_path: Path):
    for speaker in ("id10002", "id10001"):
        for name in ("b/00002.wav", "b/00001.wav", "a/00001.flac"):
            record(tmp_path / speaker / name, 0.1)
    (tmp_path / "id10001/b/notes.txt").write_text("no recording")
    config = SpeakerCorpusConfig(layout="voxceleb", root=tmp_path)
    utterances = read_speakers(config, tmp_path)
    assert [u.key for u in utterances][:3] == ["id10001/a/00001.flac", "id10001/b/00001.wav", "id10001/b/00002.wav"]
    assert {u.speaker for u in utterances} == {"id10001", "id10002"}
    assert fingerprint(utterances) == fingerprint(read_speakers(config, tmp_path))


def test_a_folder_per_speaker_is_read_and_small_and_large_speakers_are_trimmed(tmp_path: Path):
    for speaker, count in (("anna", 10), ("bert", 4), ("carl", 2)):
        for index in range(count):
            record(tmp_path / speaker / f"{index}.wav", 0.1)
    config = SpeakerCorpusConfig(layout="folder", root=tmp_path, min_utterances=3, max_utterances=5)
    keys = [u.key for u in read_speakers(config, tmp_path)]
    assert keys == [f"anna/{i}.wav" for i in (0, 2, 4, 6, 8)] + [f"bert/{i}.wav" for i in range(4)]


def test_an_empty_tree_and_a_corpus_that_is_not_fetched_say_what_to_do(tmp_path: Path):
    with pytest.raises(InputError, match=r"no recordings of the form id10001/video/00001\.wav"):
        read_speakers(SpeakerCorpusConfig(layout="voxceleb", root=tmp_path), tmp_path)
    with pytest.raises(InputError, match="run: chorale corpora fetch speakers"):
        read_speakers(SpeakerCorpusConfig(), tmp_path)
    with pytest.raises(ValueError, match="layout voxceleb needs a root"):
        SpeakerCorpusConfig(layout="voxceleb")


def test_clips_are_joined_in_order_to_the_length_wanted_and_none_is_used_twice(tmp_path: Path):
    clips = [Clip(record(tmp_path / f"{i}.wav", seconds)) for i, seconds in enumerate([1, 1.5, 1, 4, 2, 0.5, 1, 0.25])]
    utterances = join_clips("anna", "en", "test", clips, 3.0)
    lengths = [sum(clip.seconds() for clip in u.clips) for u in utterances]
    assert lengths == [3.5, 4.0, 3.75]
    assert [clip for u in utterances for clip in u.clips] == clips
    assert [u.key for u in utterances] == ["anna/0000", "anna/0001", "anna/0002"]


def test_only_stretches_of_one_speaker_alone_are_taken(tmp_path: Path):
    rttm = tmp_path / "m.rttm"
    rttm.write_text(
        "SPEAKER m 1 0.0 4.0 <NA> <NA> anna <NA> <NA>\n"
        "SPEAKER m 1 3.0 3.0 <NA> <NA> bert <NA> <NA>\n"
        "SPKR-INFO m 1 <NA> <NA> <NA> unknown anna <NA> <NA>\n"
        "SPEAKER m 1 6.5 0.4 <NA> <NA> anna <NA> <NA>\n"
    )
    assert clean_stretches(read_rttm(rttm), 1.0) == [Turn("m", 0.0, 3.0, "anna"), Turn("m", 4.0, 6.0, "bert")]
    pieces = cut(Turn("m", 4.0, 11.0, "bert"), Path("m.wav"), 3.0)
    assert [(c.start_s, c.end_s) for c in pieces] == [(4.0, 7.5), (7.5, 11.0)]
    rttm.write_text("SPEAKER m 1 zero 4.0 <NA> <NA> anna <NA> <NA>\n")
    with pytest.raises(InputError, match=r"m\.rttm: line 1: not an RTTM speaker line"):
        read_rttm(rttm)


def test_package_speakers_are_told_apart_and_duplicates_left_out(tmp_path: Path):
    klettres, ktuberling = (p.folder(tmp_path) for p in (catalogue.KLETTRES, catalogue.KTUBERLING))
    for name in ("de/alpha", "de/syllab", "da/alpha", "da/syllab", "fr/alpha", "fr/syllab"):
        record(klettres / "usr/share/klettres" / name / "a.ogg", 1)
    for name in ("sr", "sr@latin", "ca", "el"):
        record(ktuberling / "usr/share/ktuberling/sounds" / name / "a.ogg", 1)
    menardi = catalogue.MENARDI.folder(tmp_path)
    record(menardi / "usr/share/asterisk/sounds/it/hello.wav", 1)
    record(menardi / "usr/share/asterisk/sounds/it/silence/1.wav", 1)
    utterances = read_packages([klettres, ktuberling, menardi], 0.0)
    assert [u.key for u in utterances] == [
        "klettres-da/0000",
        "klettres-de-alpha/0000",
        "klettres-de-syllab/0000",
        "klettres-fr/0000",
        "klettres-fr/0001",
        "ktuberling-el/0000",
        "ktuberling-sr/0000",
        "asterisk-it-menardi/0000",
    ]
