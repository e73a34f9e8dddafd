"""Fish Fillets: dialogues of two actors per language, texts in Lua scripts and sounds in Ogg files.

Texts: ``script/LEVEL/*dialogs_LANGUAGE.lua``, as ``dialogId("vit-m-jak", ...)`` and ``dialogStr("...")`` behind it.
Sounds: ``sound/LEVEL/[PART/]LANGUAGE/vit-m-jak.ogg``. ``-m-`` is the small fish, a woman; ``-v-`` the big one, a man.
Other names are of minor parts by various voices, and are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from chorale.core.errors import InputError
from chorale.core.logs import get_logger
from chorale.data.corpora.transcripts import Transcript, read_lines
from chorale.data.corpora.utterances import Clip
from chorale.media.audio.io import duration_s

_STRING = r'"((?:[^"\\]|\\.)*)"'
_DIALOGUE = re.compile(rf"dialogId\(\s*{_STRING}.*?\)\s*dialogStr\(\s*{_STRING}\s*\)", re.DOTALL)
_ROLE = re.compile(r"[a-z0-9]+-(?P<role>[mv])-")
_ESCAPES = {"n": " ", "t": " "}
_PLACEHOLDER = re.compile(r"%\d")
_log = get_logger(__name__)


def find_fillets(packages: Sequence[Path]) -> list[Path]:
    """Return the game's directory within each unpacked package; a user's own tree is one itself."""
    found = [package / "usr/share/games/fillets-ng" for package in packages]
    return [inner if inner.is_dir() else package for inner, package in zip(found, packages, strict=True)]


def read_fillets(roots: Sequence[Path], languages: Sequence[str]) -> list[Transcript]:
    """Read the dialogues of the two actors of each language; a level is a group.

    Sounds without samples, and those whose text is missing, empty or holds a number that the game fills in, are left
    out, and counted in the log: the packages have some of each.

    Args:
        roots: The game's directories: together they hold ``script`` and ``sound``.
        languages: Such as ``nl`` and ``cs``.

    Raises:
        InputError: A language has no texts or no sounds, or a script cannot be read.
    """
    transcripts: list[Transcript] = []
    for language in languages:
        texts = {place: text for root in roots for place, text in _texts(root, language)}
        if not texts:
            raise InputError(f"{roots[0]}: no texts in {language}", "choose other corpus.languages, such as nl or cs")
        own = [t for root in roots for t in _transcripts(root, language, texts)]
        if not own:
            raise InputError(f"{roots[0]}: no sounds in {language}", "choose other corpus.languages, such as nl or cs")
        transcripts.extend(sorted(own, key=lambda transcript: transcript.key))
    return transcripts


def _texts(root: Path, language: str) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield ((level, name), text) of every dialogue."""
    for path in sorted(root.glob(f"script/*/*dialogs_{language}.lua")):
        lines = [line for line in read_lines(path) if not line.lstrip().startswith("--")]
        for name, text in _DIALOGUE.findall("\n".join(lines)):
            yield (path.parent.name, name), re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), text).strip()


def _transcripts(root: Path, language: str, texts: dict[tuple[str, str], str]) -> Iterator[Transcript]:
    left_out = 0
    for path in sorted((root / "sound").rglob("*.ogg")):
        role = _ROLE.match(path.stem)
        if path.parent.name != language or role is None:
            continue
        level = path.relative_to(root / "sound").parts[0]
        text = texts.get((level, path.stem), "")
        if not text or _PLACEHOLDER.search(text) or duration_s(path) == 0:
            left_out += 1
            continue
        key = f"{language}/{level}/{path.stem}"
        yield Transcript(key, f"fillets-{language}-{role['role']}", language, f"{language}-{level}", text, Clip(path))
    if left_out:
        _log.info("fillets: %d sounds in %s have no text or no samples, and are left out", left_out, language)
