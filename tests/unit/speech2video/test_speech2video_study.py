"""Claims about the user study: what the page may tell, what answers are refused, and what shares are made of them."""

import argparse
import csv
import json
import re

import numpy as np
import pytest

from chorale.core.errors import InputError
from chorale.experiments.speech2video.study import page as page_module
from chorale.experiments.speech2video.study.analysis import analyse
from chorale.experiments.speech2video.study.answers import read_answers
from chorale.experiments.speech2video.study.command import study_command
from chorale.experiments.speech2video.study.page import make_page
from chorale.experiments.speech2video.study.plan import Study, read_key, read_list
from chorale.media.video.write import writing_video

pytestmark = pytest.mark.unit
HEADER = "study,listener,pair,position,left,natural,same_person,emotion_a,emotion_b"


def film(path, level):
    with writing_video(path, 25) as writer:
        for _ in range(2):
            writer.add(np.full((32, 24, 3), level, np.uint8))
    return path


def make_list(folder, lines=None):
    for number, name in enumerate(("ours", "still", "recording")):
        film(folder / "films" / f"{name}-secret.mp4", 40 * number)
    path = folder / "pairs.csv"
    path.write_text(
        "pair,first_system,first_video,second_system,second_video,emotion\n"
        + "\n".join(
            lines
            or [
                "p1,chorale,films/ours-secret.mp4,baseline,films/still-secret.mp4,happy",
                "p2,baseline,films/still-secret.mp4,chorale,films/ours-secret.mp4,sad",
                "p3,chorale,films/ours-secret.mp4,real,films/recording-secret.mp4,",
            ]
        )
        + "\n"
    )
    return path


@pytest.fixture
def study(tmp_path):
    return read_list(make_list(tmp_path), "Which?", 3, ("happy", "sad", "anger", "fear"))


def answers(path, study, rows, header=HEADER):
    path.write_text("\n".join([header, *(f"{study.name},{row}" for row in rows)]) + "\n")
    return path


def run(*words):
    command = study_command()
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    value = command.run(parser.parse_args([str(word) for word in words]))
    json.dumps(value, allow_nan=False)
    return value, command.render(value)


def test_the_page_tells_no_system_and_no_file(tmp_path, study):
    text = make_page(study, tmp_path / "out").read_text()
    for secret in ("chorale", "baseline", "secret", "real", "films"):
        assert secret not in re.sub(r"base64,[^\"]*", "", text)
    assert "http" not in re.sub(r"base64,[^\"]*", "", text)


def test_a_video_in_two_pairs_is_held_once(tmp_path, study):
    text = make_page(study, tmp_path / "out").read_text()
    assert text.count("data:video/mp4;base64,") == 3


def test_the_order_of_the_videos_tells_nothing(tmp_path, study):
    pages = [
        make_page(study.model_copy(update={"pairs": pairs}), tmp_path / "out").read_text()
        for pairs in (study.pairs, study.pairs[::-1])
    ]
    first, second = (re.findall(r"data:video/mp4;base64,[^\"]*", text) for text in pages)
    assert first == second


def test_the_key_is_the_study_again(tmp_path, study):
    make_page(study, tmp_path / "out")
    assert read_key(tmp_path / "out" / "key.json") == study
    assert read_key(tmp_path / "out" / "key.json").name == study.name


def test_markup_in_a_title_is_text(tmp_path, study):
    text = make_page(study.model_copy(update={"title": "<script>alert(1)</script>"}), tmp_path / "out").read_text()
    assert "<script>alert" not in text


def test_too_many_videos_for_a_page_are_refused(tmp_path, study, monkeypatch):
    monkeypatch.setattr(page_module, "LARGEST_BYTES", 1000)
    with pytest.raises(InputError, match="show fewer pairs"):
        make_page(study, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "line, message",
    [
        ("p1,ours,films/none.mp4,base,films/still-secret.mp4,", "line 2: first_video films/none.mp4: no such file"),
        ("p1,ours,pairs.csv,base,films/still-secret.mp4,", "line 2: browsers do not play pairs.csv"),
        ("p1,,films/ours-secret.mp4,base,films/still-secret.mp4,", "line 2: first_system is empty"),
        ("p1,ours,films/ours-secret.mp4,ours,films/still-secret.mp4,", "p1 shows ours twice"),
        (
            "p1,ours,films/ours-secret.mp4,base,films/still-secret.mp4,glee",
            "p1 shows glee, which is none of happy, sad",
        ),
    ],
)
def test_a_list_that_does_not_do_is_refused_in_one_line(tmp_path, line, message):
    with pytest.raises(InputError) as error:
        read_list(make_list(tmp_path, [line]), "Which?", 0, ("happy", "sad"))
    assert message in str(error.value)


def test_a_pair_named_twice_and_a_column_too_few_are_refused(tmp_path):
    line = "p1,ours,films/ours-secret.mp4,base,films/still-secret.mp4,"
    with pytest.raises(InputError, match="p1 is there twice"):
        read_list(make_list(tmp_path, [line, line]), "Which?", 0, ())
    (tmp_path / "short.csv").write_text("pair,first_system\np1,ours\n")
    with pytest.raises(InputError, match="has no column first_video; give the columns pair, "):
        read_list(tmp_path / "short.csv", "Which?", 0, ())


def test_answers_of_a_spreadsheet_are_read(tmp_path, study):
    path = answers(tmp_path / "a.csv", study, ["ann,002,1,b,b,no,sad,happy"])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    (answer,) = read_answers([path], study)
    assert answer[:1] + answer[2:] == ("ann", "b", "b", False, ("sad", "happy"))
    assert answer.pair.name == "p2"


@pytest.mark.parametrize(
    "row, message",
    [
        ("ann,004,1,a,a,yes,sad,sad", "line 3: unknown pair 004; the key has 001 to 003"),
        ("ann,001,1,a,a,yes,sad,sad", "line 3: ann answers pair 001 twice"),
        ("ann,002,1,a,c,yes,sad,sad", "line 3: natural is c; it must be one of: a, b"),
        ("ann,002,1,a,a,maybe,sad,sad", "line 3: same_person is maybe"),
        ("ann,002,1,a,a,yes,glee,sad", "line 3: emotion_a is glee; it must be one of: happy, sad, anger, fear"),
        ("ann,002,1,a,a,yes,sad,", "line 3: emotion_b is empty"),
    ],
)
def test_an_answer_that_does_not_do_is_refused_in_one_line(tmp_path, study, row, message):
    path = answers(tmp_path / "a.csv", study, ["ann,001,1,a,a,yes,sad,sad", row])
    with pytest.raises(InputError) as error:
        read_answers([path], study)
    assert message in str(error.value) and str(path) in str(error.value)


def test_answers_of_another_study_a_missing_column_and_a_listener_twice_are_refused(tmp_path, study):
    rows = ["ann,001,1,a,a,yes,sad,sad"]
    first, second = answers(tmp_path / "a.csv", study, rows), answers(tmp_path / "b.csv", study, rows)
    with pytest.raises(InputError, match=r"listener ann is in .*a.csv and in .*b.csv"):
        read_answers([first, second], study)
    with pytest.raises(InputError, match="has no column natural"):
        read_answers([answers(tmp_path / "c.csv", study, rows, HEADER.replace("natural", "nature"))], study)
    other = study.model_copy(update={"seed": 4})
    with pytest.raises(InputError, match="give the key that was made with the page"):
        read_answers([first], other)
    with pytest.raises(InputError, match="no such file"):
        read_answers([tmp_path / "d.csv"], study)


def test_shares_by_hand(tmp_path, study):
    ann = answers(
        tmp_path / "a.csv", study,
        # Pair 1 is chorale (a) against baseline (b), pair 2 the other way round, pair 3 chorale against real.
        ["ann,001,1,a,a,yes,happy,sad", "ann,002,2,b,b,no,sad,sad", "ann,003,3,b,b,yes,fear,fear"],
    )  # fmt: skip
    bob = answers(tmp_path / "b.csv", study, ["bob,001,1,b,b,yes,anger,happy"])
    found = analyse(read_answers([ann, bob], study), study)
    assert (found.listeners, found.answers) == (2, 4)
    first, second = found.preferences
    assert (first.first, first.second) == ("chorale", "baseline")
    assert (first.natural.chosen, first.natural.answers) == (2, 3)
    assert (first.same_person.chosen, first.same_person.answers) == (2, 3)
    assert (second.first, second.second, second.natural.share) == ("chorale", "real", 0.0)
    # chorale: happy right, sad right (b of pair 2), anger wrong; baseline: sad wrong, sad right, happy right.
    assert {one.system: (one.accuracy.chosen, one.accuracy.answers) for one in found.emotions} == {
        "chorale": (2, 3),
        "baseline": (2, 3),
    }
    assert {one.chance for one in found.emotions} == {0.25}
    assert (found.left.chosen, found.left.answers) == (4, 4)


def test_intervals_are_over_listeners_and_not_over_answers(tmp_path):
    pairs = [
        {"name": f"p{n}", "first_system": "x", "first_video": "x", "second_system": "y", "second_video": "y"}
        for n in range(20)
    ]
    study = Study.model_validate({"pairs": tuple(pairs), "emotions": ()})
    header = HEADER.partition(",emotion")[0]
    # Half of the listeners always choose x, half y: 80 answers, but only four opinions.
    files = [
        answers(
            tmp_path / f"{who}.csv", study,
            [f"{who},{n:03d},{n},a,{'ab'[who % 2]},yes" for n in range(1, 21)], header,
        )
        for who in range(4)
    ]  # fmt: skip
    natural = analyse(read_answers(files, study), study).preferences[0].natural
    again = analyse(read_answers(files[::-1], study), study).preferences[0].natural
    assert natural == again
    assert natural.share == 0.5
    assert natural.over_listeners.low < 0.3 < natural.of_answers.low
    assert analyse(read_answers(files[:1], study), study).preferences[0].natural.over_listeners is None


def test_the_verb_makes_and_analyses(tmp_path):
    value, text = run("--make", make_list(tmp_path), "--out", tmp_path / "out", "--emotions", "happy,sad")
    assert (value["pairs"], "keep it" in text) == (3, True)
    study = read_key(tmp_path / "out" / "key.json")
    assert value["study"] == study.name
    files = [
        answers(tmp_path / f"{who}.csv", study, [f"{who},001,1,a,a,yes,happy,sad"]) for who in ("ann", "bob", "cid")
    ]
    value, text = run("--analyse", tmp_path / "out" / "key.json", *files)
    assert value["preferences"][0]["natural"]["share"] == 1.0
    assert "chorale more natural than baseline: 100.0 % of 3" in text
    assert "by chance 50.0 %" in text
    with pytest.raises(InputError, match="needs answers"):
        run("--analyse", tmp_path / "out" / "key.json")


def test_the_header_of_the_page_is_that_of_the_reader(tmp_path, study):
    script = make_page(study, tmp_path / "out").read_text()
    columns = next(csv.reader([HEADER]))
    found = re.search(r"const columns = \[(.*?)\];.*?columns\.push\((.*?)\)", script, re.DOTALL)
    assert re.findall(r'"(\w+)"', found[1] + found[2]) == columns
