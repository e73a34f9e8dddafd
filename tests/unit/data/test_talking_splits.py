"""Claims about splits of talking clips: what must not be shared is not, and every speaker and emotion has its share."""

import random
from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from chorale.core.errors import InputError
from chorale.data.corpora.talking.clip import TalkingClip
from chorale.data.corpora.talking.config import TalkingSplitConfig
from chorale.data.corpora.talking.splits import split_clips

pytestmark = pytest.mark.unit
EMOTIONS = ("anger", "disgust", "fear", "happy", "neutral", "sad")


def crema(actors=30, sentences=12, emotions=EMOTIONS):
    return [
        TalkingClip(f"{a}_{s}_{e}", f"{a:02d}", Path("x"), None, e, f"S{s}", sex="male" if a % 2 else "female")
        for a in range(actors)
        for s in range(sentences)
        for e in emotions
    ]


def grid(speakers=10, clips=120, sentences=500):
    draw = random.Random(0)
    return [
        TalkingClip(f"s{s}/{n}", f"s{s}", Path("x"), sentence=f"S{n}")
        for s in range(speakers)
        for n in draw.sample(range(sentences), clips)
    ]


def config(kind, dev=0.15, test=0.2):
    return TalkingSplitConfig(kind=kind, dev=dev, test=test)


def shares(split, label):
    """Return for each part the share that it has of every value's clips."""
    totals = Counter(label(clip) for part in split for clip in part)
    return [{value: Counter(map(label, part))[value] / total for value, total in totals.items()} for part in split]


@pytest.mark.parametrize("clips", [crema(), grid()], ids=["crema", "grid"])
def test_no_sentence_is_in_two_parts_and_every_speaker_is_in_all(clips):
    split = split_clips(clips, config("utterance"), 0)
    sentences = [{clip.sentence for clip in part} for part in split]
    assert all(not one & other for at, one in enumerate(sentences) for other in sentences[:at])
    assert sum(map(len, split)) == len(clips)
    assert all({clip.speaker for clip in part} == {clip.speaker for clip in clips} for part in split)


@pytest.mark.parametrize("clips, by", [(crema(), 0.06), (grid(), 0.04)], ids=["crema", "grid"])
def test_every_speaker_and_emotion_has_its_share_in_each_part(clips, by):
    split = split_clips(clips, config("utterance"), 0)
    for label in (lambda clip: clip.speaker, lambda clip: clip.emotion):
        for part, wanted in zip(shares(split, label), (0.65, 0.15, 0.2), strict=True):
            assert all(abs(share - wanted) < by for share in part.values())


def test_no_speaker_is_in_two_parts_and_both_sexes_are_in_all():
    split = split_clips(crema(), config("speaker"), 0)
    speakers = [{clip.speaker for clip in part} for part in split]
    assert all(not one & other for at, one in enumerate(speakers) for other in speakers[:at])
    assert [len(one) for one in speakers] == pytest.approx([19.5, 4.5, 6], abs=1)
    for part in shares(split, lambda clip: clip.sex):
        assert abs(part["male"] - part["female"]) <= 0.1


def test_a_split_by_clip_is_even_even_where_there_are_few_sentences():
    clips = crema(actors=4, sentences=20)
    split = split_clips(clips, config("clip"), 3)
    assert len({clip.key for part in split for clip in part}) == len(clips)
    for label in (lambda clip: clip.speaker, lambda clip: clip.emotion):
        for part, wanted in zip(shares(split, label), (0.65, 0.15, 0.2), strict=True):
            assert all(abs(share - wanted) < 0.03 for share in part.values())


@pytest.mark.parametrize("kind", ["utterance", "clip", "speaker"])
def test_a_split_depends_on_the_seed_and_not_on_the_order_of_reading(kind):
    clips = crema(actors=20)
    shuffled = random.Random(1).sample(clips, len(clips))
    split = split_clips(clips, config(kind), 7)
    again = split_clips(shuffled, config(kind), 7)
    assert [{clip.key for clip in part} for part in split] == [{clip.key for clip in part} for part in again]
    assert split != split_clips(clips, config(kind), 8)
    assert [clip for clip in clips if clip in set(split.test)] == split.test


def test_clips_without_a_sentence_are_each_an_utterance():
    clips = [TalkingClip(f"a/{n}", "a", Path("x")) for n in range(20)]
    assert [len(part) for part in split_clips(clips, config("utterance"), 0)] == [13, 3, 4]


def test_who_is_not_in_training_is_not_tested_as_observed(caplog):
    clips = [TalkingClip(f"a/{n}", "a", Path("x"), sentence=f"S{n % 10}") for n in range(40)]
    alone = TalkingClip("b/0", "b", Path("x"), sentence="S0")
    for seed in range(10):
        with caplog.at_level("WARNING", "chorale"):
            split = split_clips([*clips, alone], config("utterance"), seed)
        tested = {clip.speaker for part in (split.dev, split.test) for clip in part}
        assert tested <= {clip.speaker for clip in split.train}


def test_a_corpus_that_is_too_small_is_told():
    clips = crema(actors=2)
    with pytest.raises(InputError, match=r"the (dev|test) split has none of 144 clips \(2 to split by speaker\)"):
        split_clips(clips, config("speaker"), 0)
    with pytest.raises(ValidationError, match="leave no clip for training"):
        config("clip", 0.5, 0.5)
