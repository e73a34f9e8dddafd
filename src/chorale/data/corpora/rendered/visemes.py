"""How the mouth is held for each phone: visemes, as actions of the face.

Which phones look alike is common knowledge of lip-reading (Fisher 1968; MPEG-4's list of visemes, ISO/IEC 14496-2, is
the model here); how far each action goes is our choice, by looking at the frames.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from chorale.core.errors import InputError

Viseme = Literal[
    "rest", "closed", "lip-teeth", "tongue-teeth", "hiss", "hush", "back", "tap", "glide",
    "a", "e", "i", "y", "o", "u", "schwa",
]  # fmt: skip


class Shape(NamedTuple):
    """A viseme's.

    Attributes:
        actions: How far each goes, 0 to 1.
        strength: How much it asserts itself against its neighbours (Cohen and Massaro 1993's dominance).
    """

    actions: dict[str, float]
    strength: float


def _both(**actions: float) -> dict[str, float]:
    """Return actions by name, those of one side doubled: ``mouthStretch`` becomes left and right."""
    one_sided = ("mouthStretch", "mouthPress", "mouthSmile", "mouthUpperUp", "mouthLowerDown", "mouthDimple")
    spread: dict[str, float] = {}
    for name, value in actions.items():
        spread |= {name + side: value for side in ("Left", "Right")} if name in one_sided else {name: value}
    return spread


SHAPES: Final[dict[Viseme, Shape]] = {
    "rest": Shape({"jawOpen": 0.02}, 0.5),
    "closed": Shape(_both(mouthPress=0.35, mouthRollLower=0.15, mouthRollUpper=0.12), 3.0),
    "lip-teeth": Shape(_both(jawOpen=0.07, mouthRollLower=0.45, mouthUpperUp=0.30), 2.0),
    "tongue-teeth": Shape(_both(jawOpen=0.13, mouthLowerDown=0.15), 0.8),
    "hiss": Shape(_both(jawOpen=0.07, mouthStretch=0.25, mouthLowerDown=0.30, mouthUpperUp=0.15), 1.0),
    "hush": Shape(_both(jawOpen=0.12, mouthFunnel=0.65, mouthLowerDown=0.15), 1.3),
    "back": Shape(_both(jawOpen=0.18, mouthLowerDown=0.10), 0.6),
    "tap": Shape(_both(jawOpen=0.17, mouthLowerDown=0.15), 0.6),
    "glide": Shape(_both(jawOpen=0.11, mouthStretch=0.25, mouthLowerDown=0.15), 0.8),
    "a": Shape(_both(jawOpen=0.85, mouthLowerDown=0.35, mouthUpperUp=0.25), 1.2),
    "e": Shape(_both(jawOpen=0.50, mouthStretch=0.30, mouthLowerDown=0.30, mouthUpperUp=0.20), 1.1),
    "i": Shape(_both(jawOpen=0.22, mouthStretch=0.45, mouthLowerDown=0.25, mouthUpperUp=0.15), 1.1),
    "y": Shape(_both(jawOpen=0.22, mouthStretch=0.25, mouthLowerDown=0.25), 1.0),
    "o": Shape(_both(jawOpen=0.60, mouthFunnel=0.60, mouthPucker=0.25), 1.3),
    "u": Shape(_both(jawOpen=0.24, mouthPucker=0.85, mouthFunnel=0.25), 1.4),
    "schwa": Shape(_both(jawOpen=0.36, mouthLowerDown=0.20), 0.7),
}
"""Each viseme's shape."""

# festvox-ru's labels: doubled letters are palatalised consonants and stressed vowels.
_FESTVOX: Final[dict[Viseme, str]] = {
    "rest": "pau",
    "closed": "p pp b bb m mm",
    "lip-teeth": "f ff v vv",
    "tongue-teeth": "t tt d dd n nn l ll",
    "hiss": "s ss z zz c",
    "hush": "sh sch zh ch",
    "back": "k kk g gg h hh",
    "tap": "r rr",
    "glide": "j",
    "a": "a aa",
    "e": "e ee",
    "i": "i ii",
    "y": "y yy",
    "o": "o oo",
    "u": "u uu",
    "schwa": "ay ae ur",
}
# eSpeak's mnemonics, of its Russian and English phones; what follows a sign of length or palatalisation is left out.
_ESPEAK: Final[dict[Viseme, str]] = {
    "rest": "_ _: _! _| |",
    "closed": "p b m",
    "lip-teeth": "f v",
    "tongue-teeth": "t d n l T D n- l#",
    "hiss": "s z ts dz",
    "hush": "S Z S; tS dZ s; ts; sx",
    "back": "k g x h N Q ?",
    "tap": "r R r- *",
    "glide": "j",
    "a": "a A a# aI aU V a: A: A@ aa 0 &",
    "e": "e E E# e# eI E@ e: je 3 3: E2",
    "i": "i I i: I# I2 i@ i@3",
    "y": "y Y y# i\"",
    "o": "o O o: O: oU OI O@ O2 V0 jo",
    "u": "u U u: ju ju: U@ w u#",
    "schwa": "@ @2 @- @L @5 ja ja# V#",
}  # fmt: skip
_OF_FESTVOX: Final = {phone: viseme for viseme, phones in _FESTVOX.items() for phone in phones.split()}
_OF_ESPEAK: Final = {phone: viseme for viseme, phones in _ESPEAK.items() for phone in phones.split()}


def festvox_viseme(phone: str) -> Viseme:
    """Return the viseme of a label of festvox-ru.

    Raises:
        InputError: It is no such label.
    """
    if phone not in _OF_FESTVOX:
        raise InputError(f"{phone!r}: no phone of festvox-ru", "use the labels of that voice")
    return _OF_FESTVOX[phone]


def espeak_viseme(phone: str) -> Viseme | None:
    """Return the viseme of an eSpeak mnemonic; None of one that only marks the phone before, or is not known.

    Args:
        phone: Such as ``d;``, a palatalised d, or ``;`` after it.
    """
    for known in (phone, phone.rstrip(";:^'\"#2"), phone[:1]):
        if known in _OF_ESPEAK:
            return _OF_ESPEAK[known]
    return None
