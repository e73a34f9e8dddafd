"""Text as it is said: lower case, no short forms, numbers in words, and nothing but letters and punctuation."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

from num2words import num2words

from chorale.core.errors import InputError
from chorale.media.text.rules import RULES, LanguageRules

PUNCTUATION = " !'(),-.:;?"
"""What stays beside letters: the marks of Keith Ito's and most later English systems."""

_TYPOGRAPHY = str.maketrans({"’": "'", "‘": "'", "`": "'", "–": "-", "—": "-", "−": "-", "…": "."})
_YEARS = range(1100, 2000)
_LONGEST_NUMBER = 7
"""Digits without a separator beyond this are a telephone's or a catalogue's: said one by one (our choice)."""


def normalise(text: str, language: str, keep_stress: bool = True) -> str:
    """Return ``text`` as it is said.

    Numbers are cardinal and in the nominative, except where the text itself marks an ordinal ("1st"), an amount of
    money ("£5") or, in English, where four digits look like a year. Double quotes are left out.

    Args:
        text: One sentence or several.
        language: A tag such as ``en`` or ``en-gb``; its first part picks the rules.
        keep_stress: Keep the marks of stress (Russian: ``+`` before the vowel).

    Raises:
        InputError: The text holds a number, and num2words does not know the language.
    """
    language = language.partition("-")[0].lower()
    rules = RULES.get(language, LanguageRules())
    text = unicodedata.normalize("NFC", text).translate(_TYPOGRAPHY).lower()
    # Before numbers become words: the plus of 2+2 marks no stress.
    text = _mark_stress(text, rules, keep_stress)
    text = _expand_abbreviations(text, rules)
    text = _say_numbers(text, language, rules)
    for symbol, word in rules.symbols.items():
        text = text.replace(symbol, f" {word} ")
    kept = [character if _is_said(character) else " " for character in text]
    text = re.sub(r"([!,.:;?-])(?:\s*\1)+", r"\1", "".join(kept))
    return " ".join(re.sub(r"\s+([!,.:;?])", r"\1", text).split())


def _is_said(character: str) -> bool:
    return character.isalpha() or character in PUNCTUATION or character == "+" or unicodedata.combining(character) > 0


def _mark_stress(text: str, rules: LanguageRules, keep: bool) -> str:
    """Leave only those plus signs that stand before a letter and mean its stress."""
    if not rules.stress:
        return text.replace("+", " ")
    mark = re.escape(rules.stress)
    text = re.sub(rf"{mark}(?![^\W\d_])", " ", text)
    return text if keep else re.sub(mark, "", text)


def _expand_abbreviations(text: str, rules: LanguageRules) -> str:
    for short, long in rules.abbreviations.items():
        text = re.sub(rf"(?<![^\W_]){re.escape(short)}\.", f"{long} ", text)
    for short, long in rules.before_digits.items():
        text = re.sub(rf"(?<![^\W_]){re.escape(short)}\.\s*(?=\d)", f"{long} ", text)
    return text


def _say_numbers(text: str, language: str, rules: LanguageRules) -> str:
    group = f"[{re.escape(rules.thousands)}]"
    whole = rf"\d{{1,3}}(?:{group}\d{{3}})+(?!\d)|\d+"
    amount = rf"(?P<whole>{whole})(?:{re.escape(rules.decimal)}(?P<fraction>\d+))?"
    currency = f"(?P<currency>[{re.escape(''.join(rules.currencies))}])?" if rules.currencies else "(?P<currency>x^)?"
    ordinal = rf"(?P<ordinal>(?:{rules.ordinal})\b)?" if rules.ordinal else "(?P<ordinal>x^)?"

    def say(match: re.Match[str]) -> str:
        digits = re.sub(group, "", match["whole"])
        words = _number(digits, digits != match["whole"], match, language, rules)
        before, after = text[: match.start()][-1:], text[match.end() :][:1]
        return f"{' ' if before.isalnum() else ''}{words}{' ' if after.isalnum() else ''}"

    return re.sub(currency + amount + ordinal, say, text)


def _number(digits: str, grouped: bool, match: re.Match[str], language: str, rules: LanguageRules) -> str:
    fraction, code = match["fraction"], rules.currencies.get(match["currency"] or "")
    one_by_one = len(digits) > 1 and (digits[0] == "0" or (len(digits) > _LONGEST_NUMBER and not grouped))
    if one_by_one and fraction is None:
        return " ".join(_words(int(digit), language) for digit in digits)
    value = int(digits) if fraction is None else Decimal(f"{digits}.{fraction}")
    if code is not None:
        return _words(value, language, to="currency", currency=code)
    if match["ordinal"] and fraction is None:
        return _words(value, language, to="ordinal")
    if rules.years and not grouped and fraction is None and value in _YEARS:
        return _words(value, language, to="year")
    return _words(value, language)


def _words(value: int | Decimal, language: str, **how: str) -> str:
    # num2words takes an integer for cents; amounts of money must be decimals.
    number = Decimal(value) if how.get("to") == "currency" else value
    try:
        words = str(num2words(number, lang=language, **how))
    except NotImplementedError as error:
        raise InputError(f"num2words has no numbers for the language {language!r}", "write numbers as words") from error
    if "currency" in how:
        words = re.sub(r", zero \w+$", "", words).replace(" sterling", "")
    # English words carry a comma after thousands, where no speaker pauses.
    return words.replace(",", "").lower()
