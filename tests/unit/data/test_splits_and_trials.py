from collections import Counter
from pathlib import Path

import pytest

from chorale.core.errors import InputError
from chorale.data.corpora.config import SplitConfig, TrialConfig
from chorale.data.corpora.splits import split_speakers
from chorale.data.corpora.trials import Trial, make_trials, read_trials, write_trials
from chorale.data.corpora.utterances import Clip, Utterance

pytestmark = pytest.mark.unit


def corpus(groups: dict[str, int], count: int = 6) -> list[Utterance]:
    return [
        Utterance(f"{group}-{s}/{i}", f"{group}-{s}", "en", group, (Clip(Path(f"{group}-{s}-{i}.wav")),))
        for group, speakers in groups.items()
        for s in range(speakers)
        for i in range(count)
    ]


def test_splits_share_no_speaker_lose_none_and_hear_every_group():
    utterances = corpus({"a": 20, "b": 7, "c": 3})
    split = split_speakers(utterances, SplitConfig(dev=0.25, test=0.25), seed=1)
    speakers = [{u.speaker for u in part} for part in split]
    assert sum(len(s) for s in speakers) == len(set.union(*speakers)) == 30
    assert sorted(u.key for part in split for u in part) == sorted(u.key for u in utterances)
    assert all({u.group for u in part} == {"a", "b", "c"} for part in split)
    assert [len(s) for s in speakers] == [14, 8, 8]


def test_a_split_depends_on_the_seed_and_not_on_the_order_of_reading():
    utterances = corpus({"a": 20})
    split = split_speakers(utterances, SplitConfig(), seed=1)
    backwards = split_speakers(utterances[::-1], SplitConfig(), seed=1)
    assert [{u.key for u in part} for part in split] == [{u.key for u in part} for part in backwards]
    assert {u.key for u in split.test} != {u.key for u in split_speakers(utterances, SplitConfig(), seed=2).test}


def test_too_few_speakers_are_told():
    with pytest.raises(InputError, match="the dev split has 1 of at least 2 speakers"):
        split_speakers(corpus({"a": 4}), SplitConfig(), seed=0)


def test_trials_are_right_distinct_balanced_and_the_same_again():
    utterances = corpus({"a": 5}, count=8)
    speaker_of = {u.key: u.speaker for u in utterances}
    config = TrialConfig(targets_per_speaker=10, nontargets_per_speaker=40)
    trials = make_trials(utterances, config, seed=3)
    assert trials == make_trials(utterances[::-1], config, seed=3)
    assert trials != make_trials(utterances, config, seed=4)
    assert len({frozenset(trial[1:]) for trial in trials}) == len(trials)
    for label, enroll, test in trials:
        assert enroll != test
        assert label == int(speaker_of[enroll] == speaker_of[test])
    targets = Counter(speaker_of[t.enroll] for t in trials if t.label)
    others = Counter(speaker_of[t.enroll] for t in trials if not t.label)
    assert set(targets.values()) == {10}
    assert set(others.values()) == {40}
    met = Counter(frozenset((speaker_of[t.enroll], speaker_of[t.test])) for t in trials if not t.label)
    assert max(met.values()) - min(met.values()) <= 1


def test_small_speakers_give_all_they_have():
    trials = make_trials(corpus({"a": 2}, count=3), TrialConfig(), seed=0)
    assert Counter(t.label for t in trials) == {1: 6, 0: 9}


def test_a_list_is_written_in_the_usual_form_and_read_back(tmp_path: Path):
    utterances = corpus({"a": 3})
    trials = make_trials(utterances, TrialConfig(), seed=0)
    write_trials(tmp_path / "trials.txt", trials)
    first = (tmp_path / "trials.txt").read_text().splitlines()[0]
    assert first == f"1 {trials[0].enroll} {trials[0].test}"
    assert read_trials(tmp_path / "trials.txt", {u.key for u in utterances}) == trials


def test_a_list_of_voxcelebs_form_is_read_and_checked(tmp_path: Path):
    path = tmp_path / "vox1_o.txt"
    path.write_text("1 id10270/x/00001.wav id10270/y/00002.wav\n0 id10270/x/00001.wav id10300/z/00001.wav\n")
    assert read_trials(path)[1] == Trial(0, "id10270/x/00001.wav", "id10300/z/00001.wav")
    with pytest.raises(InputError, match=r"line 1: id10270/y/00002\.wav: no such utterance"):
        read_trials(path, {"id10270/x/00001.wav"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("target a b\n0 a c\n", "line 1: 'target a b' is not 'label path path'"),
        ("1 a\n", "line 1"),
        ("1 a b\n", "both labels are needed"),
        ("", "0 trials"),
    ],
)
def test_a_bad_list_is_told_with_its_line(tmp_path: Path, text: str, message: str):
    path = tmp_path / "trials.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_trials(path)
