import sys

import pytest

from chorale.core.errors import InputError, MissingExtraError
from chorale.experiments.fedtts.metrics.text_error import Recogniser, plain, text_errors

pytestmark = pytest.mark.unit


def test_error_rates_are_edits_over_the_references_of_all_utterances_together():
    # Words: one of three wrong, one of one inserted: 2 / 4. Characters: one of "the cat sat" (11), four (" two") of 3.
    result = text_errors(["the cat sat", "one"], ["the bat sat", "one two"])
    assert result.words == pytest.approx(2 / 4)
    assert result.characters == pytest.approx((1 + 4) / (11 + 3))


def test_case_and_punctuation_do_not_count_and_apostrophes_do():
    assert plain("  “Don’t,” he SAID — twice.") == "don't he said twice"
    assert text_errors(["Hello, World!"], ["hello world"]) == (0.0, 0.0)


def test_letters_of_other_languages_are_kept_and_composed():
    assert plain("\u0401лка, \u0438\u0306!") == "\u0451лка \u0439"


@pytest.mark.parametrize(("references", "heard"), [([], []), (["a"], []), (["..."], ["a"])])
def test_nothing_to_compare_is_an_input_error(references, heard):
    with pytest.raises(InputError, match="error rates"):
        text_errors(references, heard)


def test_a_missing_recogniser_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "moonshine_voice", None)
    with pytest.raises(MissingExtraError, match=r"chorale\[recogniser\]"):
        Recogniser()
