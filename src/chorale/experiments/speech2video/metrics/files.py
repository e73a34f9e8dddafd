"""Which generated file belongs to which real one. No heavy imports."""

from __future__ import annotations

from pathlib import Path

from chorale.core.errors import InputError


def matching(real: Path, generated: Path) -> list[tuple[Path, Path]]:
    """Return the pairs, real one first: of two files, or of two folders by their files' names without suffix.

    Raises:
        InputError: One is missing, or a folder and the other not; a folder holds no videos, two of one name, or one
            without partner.
    """
    for path in (real, generated):
        if not path.exists():
            raise InputError(f"{path}: no such file or folder")
    if real.is_dir() != generated.is_dir():
        raise InputError(f"{real} and {generated}: one is a folder", "give two files or two folders")
    if not real.is_dir():
        return [(real, generated)]
    first, second = _by_stem(real), _by_stem(generated)
    for one, other, folder in ((first, second, generated), (second, first, real)):
        alone = sorted(one.keys() - other.keys())
        if alone:
            raise InputError(
                f"{folder} has no video of the name {alone[0]}; {len(alone)} of {len(one)} have no partner",
                "give every video its partner, of the same name",
            )
    return [(first[stem], second[stem]) for stem in sorted(first)]


def _by_stem(folder: Path) -> dict[str, Path]:
    from chorale.media.video.opening import VIDEO_SUFFIXES

    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in VIDEO_SUFFIXES:
            continue
        if path.stem in found:
            raise InputError(f"{folder}: {found[path.stem].name} and {path.name} have one name", "remove one of them")
        found[path.stem] = path
    if not found:
        raise InputError(f"{folder}: holds no videos", "give a folder of mp4 files")
    return found
