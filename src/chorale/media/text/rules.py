"""What the normaliser knows of a language: what short forms stand for, and how numbers are written.

English short forms are those that LJSpeech's documentation lists, with Latin ones beside them; the others are choices
of ours, the forms that newspapers use.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class LanguageRules:
    """One language.

    Attributes:
        abbreviations: Short form without its last full stop, in lower case -> what is said.
        before_digits: Short forms that count only where a number follows.
        symbols: Character -> word.
        decimal: Character between the whole part of a number and its fraction.
        thousands: Characters that may stand between groups of three digits.
        ordinal: Regular expression of what makes digits an ordinal number, such as ``st``; empty if nothing does.
        years: Whether four digits from 1100 to 1999 are read as a year, "fourteen fifty-five".
        currencies: Character before an amount -> code of the currency.
        stress: Character that marks the next letter as stressed; empty if there is none.
    """

    abbreviations: dict[str, str] = field(default_factory=dict)
    before_digits: dict[str, str] = field(default_factory=dict)
    symbols: dict[str, str] = field(default_factory=dict)
    decimal: str = ","
    thousands: str = ".\u00a0\u202f"
    ordinal: str = ""
    years: bool = False
    currencies: dict[str, str] = field(default_factory=dict)
    stress: str = ""


_ENGLISH = LanguageRules(
    abbreviations={
        "mr": "mister",
        "mrs": "missis",
        "dr": "doctor",
        "st": "saint",
        "co": "company",
        "jr": "junior",
        "maj": "major",
        "gen": "general",
        "drs": "doctors",
        "rev": "reverend",
        "lt": "lieutenant",
        "hon": "honorable",
        "sgt": "sergeant",
        "capt": "captain",
        "esq": "esquire",
        "ltd": "limited",
        "col": "colonel",
        "ft": "fort",
        "i.e": "that is",
        "e.g": "for example",
        "etc": "et cetera",
        "vs": "versus",
    },
    before_digits={"no": "number"},
    symbols={"%": "percent", "&": "and"},
    decimal=".",
    thousands=",",
    ordinal="st|nd|rd|th",
    years=True,
    currencies={"$": "USD", "£": "GBP", "€": "EUR"},
)

_RUSSIAN = LanguageRules(
    abbreviations={
        "т.е": "то есть",
        "т.д": "так далее",
        "т.п": "тому подобное",
        "т.к": "так как",
        "и др": "и другие",
        "напр": "например",
        "см": "смотри",
        "руб": "рублей",
    },
    symbols={"%": "процентов", "№": "номер", "&": "и"},
    stress="+",
)

_DUTCH = LanguageRules(
    abbreviations={
        "dhr": "de heer",
        "mevr": "mevrouw",
        "bv": "bijvoorbeeld",
        "bijv": "bijvoorbeeld",
        "d.w.z": "dat wil zeggen",
        "o.a": "onder andere",
        "enz": "enzovoort",
    },
    before_digits={"nr": "nummer"},
    symbols={"%": "procent", "&": "en", "#": "nummer"},
    ordinal="ste|de|e",
)

_CZECH = LanguageRules(
    abbreviations={
        "např": "například",
        "tj": "to jest",
        "tzn": "to znamená",
        "tzv": "takzvaný",
        "atd": "a tak dále",
        "apod": "a podobně",
    },
    before_digits={"č": "číslo"},
    symbols={"%": "procent", "&": "a"},
)

RULES: dict[str, LanguageRules] = {"en": _ENGLISH, "ru": _RUSSIAN, "nl": _DUTCH, "cs": _CZECH}
"""By the first part of a language tag. Other languages have no short forms; num2words may know their numbers."""
