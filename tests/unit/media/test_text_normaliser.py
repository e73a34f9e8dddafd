import pytest

from chorale.core.errors import InputError
from chorale.media.text.normalise import PUNCTUATION, normalise

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Mr. and Mrs. Smith", "mister and missis smith"),
        ("of about 1455,", "of about fourteen fifty-five,"),
        ("In 1465 Sweynheim", "in fourteen sixty-five sweynheim"),
        ("1,455 copies", "one thousand four hundred and fifty-five copies"),
        ("the 42-line Bible", "the forty-two-line bible"),
        ("the 1st and the 22nd", "the first and the twenty-second"),
        ("3.5 miles", "three point five miles"),
        ("£5 and $3.50", "five pounds and three dollars fifty cents"),
        ("No. 7, no.", "number seven, no."),
        ("7% & more", "seven percent and more"),
        ("call 0800", "call zero eight zero zero"),
        ("press F2", "press f two"),
        ("“Quoted” isn’t — said…", "quoted isn't - said."),
        ("Wait ... what?!?", "wait. what?!?"),
    ],
)
def test_english_is_written_as_it_is_said(text, said):
    assert normalise(text, "en") == said
    assert normalise(text, "en-gb") == said


@pytest.mark.parametrize(
    ("language", "text", "said"),
    [
        ("ru", "Их 25, т.е. много.", "их двадцать пять, то есть много."),
        ("ru", "3,5 раза", "три целых пять десятых раза"),
        ("nl", "Steiger 5, bv. de 1e keer", "steiger vijf, bijvoorbeeld de eerste keer"),
        ("nl", "1.500 euro", "duizendvijfhonderd euro"),
        ("nl", "nummer 21913271", "nummer twee één negen één drie twee zeven één"),
        ("cs", "Klávesa F3, č. 5 atd.", "klávesa f tři, číslo pět a tak dále"),
        ("de", "Nr. 5 ist 3,5 m", "nr. fünf ist drei komma fünf m"),
    ],
)
def test_numbers_and_short_forms_of_other_languages_are_said(language, text, said):
    assert normalise(text, language) == said


def test_a_year_is_read_as_one_in_english_only():
    assert normalise("1905", "ru") == "одна тысяча девятьсот пять"
    assert normalise("2005", "en") == "two thousand and five"


def test_russian_stress_is_kept_or_dropped_and_a_sum_has_none():
    assert normalise("+Окна и вол+ос", "ru") == "+окна и вол+ос"
    assert normalise("+Окна и вол+ос", "ru", keep_stress=False) == "окна и волос"
    assert "+" not in normalise("2+2 и +", "ru")
    assert "+" not in normalise("a+b", "en")


def test_only_letters_and_punctuation_are_left_and_normalising_again_changes_nothing():
    said = normalise("Ёлка №5: [100%] <b>тест</b> \t\n № — «да» @#*\u200b", "ru")
    assert all(character.isalpha() or character in PUNCTUATION for character in said)
    assert "  " not in said
    assert normalise(said, "ru") == said


def test_decomposed_letters_become_one_character():
    assert normalise("e\u0301e\u0301n", "nl") == "één"


def test_a_number_in_a_language_without_numbers_is_an_error_and_its_letters_are_not():
    assert normalise("Sannu duniya", "ha") == "sannu duniya"
    with pytest.raises(InputError, match=r"no numbers for the language 'ha'; write numbers as words"):
        normalise("Sannu 5", "ha")
