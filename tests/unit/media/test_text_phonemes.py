import shutil
import stat
from pathlib import Path

import pytest

from chorale.core.errors import InputError, WorkError
from chorale.media.text import phonemes
from chorale.media.text.phonemes import phonemise

pytestmark = pytest.mark.unit

# Says every line backwards; like the real program, it breaks long lines, answers nothing to nothing, and refuses "xx".
PROGRAM = """#!/usr/bin/env python3
import os, sys
assert sys.argv[1:4] == ["-q", "--ipa", "-v"], sys.argv
language = sys.argv[4]
with open(os.environ["CALLS"], "a") as calls:
    calls.write("call\\n")
if language == "xx":
    sys.exit("Error: The specified espeak-ng voice does not exist.")
if language == "yy":
    sys.exit("out of memory")
for line in sys.stdin.read().splitlines():
    for start in range(0, len(line), 40):
        print(" " + line[start:start + 40][::-1].replace("hsilgne", "(en)iNglIS(ru)"))
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "bin" / "espeak-ng"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return tmp_path / "calls"


def test_all_texts_go_through_one_run_and_keep_their_own_punctuation(calls):
    texts = ["abc, def (gh) - ij?", "kl-m.", "", "...", "what?!"]
    assert phonemise(texts, "en") == ["cba, fed (hg) - ji?", "m-lk.", "", "...", "tahw?!"]
    assert calls.read_text().count("call") == 1


def test_a_clause_longer_than_the_programs_buffer_is_still_one_text(calls):
    long = "a" * 39 + "b" + "c" * 10
    assert phonemise([long, "de"], "en") == ["b" + "a" * 39 + " " + "c" * 10, "ed"]


def test_the_marks_of_another_languages_rules_are_no_phones(calls):
    assert phonemise(["english de"], "ru") == ["ed iNglIS"]


def test_a_voice_that_is_not_there_and_a_failure_are_told_apart(calls):
    with pytest.raises(InputError, match=r"no voice 'xx'; `espeak-ng --voices` lists them"):
        phonemise(["a"], "xx")
    with pytest.raises(WorkError, match="out of memory"):
        phonemise(["a"], "yy")


def test_a_machine_without_the_program_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(phonemes, "PROGRAM", "espeak-ng-that-is-not-there")
    with pytest.raises(InputError, match=r"not installed; install the system's package espeak-ng, or set text\.units"):
        phonemise(["a"], "en")


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_the_real_program_speaks_four_languages():
    for language, text in {
        "en": "hello, world",
        "ru": "привет, мир",
        "nl": "hallo, wereld",
        "cs": "ahoj, světe",
    }.items():
        (first,) = phonemise([text], language)
        before, comma, after = first.partition(", ")
        assert before and comma and after and "ˈ" in first
    assert phonemise(["hello. world", "hello", "world"], "en")[0].replace(".", "").split() == phonemise(
        ["hello", "world"], "en"
    )
