"""Batch templates: one file serves ``sbatch`` by hand and submitit.

A template is a batch script. Its ``#SBATCH`` lines, and the lines between ``# setup`` and ``# end of setup`` (module
loads, exports) and between ``# teardown`` and ``# end of teardown`` (what follows the work), are read from it; what
stands between the two runs only when the file is given to ``sbatch`` by hand.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from chorale.core.errors import InputError
from chorale.launch.slurm.places import slurm_directory

Flags = Mapping[str, str | Literal[True]]
_SBATCH = "#SBATCH "


@dataclass(frozen=True)
class Template:
    """What a batch template says.

    Attributes:
        path: The file.
        flags: ``sbatch`` options without their dashes; True for one that takes no value.
        setup: Lines of shell that run before the work.
        teardown: Lines of shell that run after it; ``$?`` is the work's exit status.
    """

    path: Path
    flags: Flags
    setup: tuple[str, ...]
    teardown: tuple[str, ...]


def read_template(name: str) -> Template:
    """Read a template by name (``array``) or path.

    Raises:
        InputError: It is missing, an ``#SBATCH`` line is not understood, or the set-up's markers are missing.
    """
    path = Path(name) if "/" in name else slurm_directory() / f"{name}.sbatch"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        known = ", ".join(sorted(p.stem for p in slurm_directory().glob("*.sbatch")))
        raise InputError(f"{path}: {error.strerror}", f"templates are: {known}") from error
    flags: dict[str, str | Literal[True]] = {}
    for number, line in enumerate(lines, start=1):
        if line.startswith(_SBATCH):
            for flag in _words(path, number, line.removeprefix(_SBATCH)):
                key, equals, value = flag.removeprefix("--").partition("=")
                flags[key] = value if equals else True
    return Template(path, flags, _section(path, lines, "setup"), _section(path, lines, "teardown"))


def minutes(text: str) -> int:
    """Return a Slurm time limit (``30``, ``1:30:00``, ``1-12``, ``2-12:00:00``) in whole minutes, rounded up.

    Raises:
        InputError: It is not of one of Slurm's forms.
    """
    match = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text.strip())
    if not match:
        raise InputError(f"time limit {text!r} is not understood", "write minutes, HH:MM:SS or D-HH:MM:SS")
    days, *rest = match.groups()
    numbers = [int(part) for part in rest if part is not None]
    # Slurm counts from hours after a day, and otherwise 30 is minutes, 30:00 minutes and seconds.
    if days is not None:
        hours, minute, second = (*numbers, 0, 0)[:3]
    elif len(numbers) == len(("hours", "minutes", "seconds")):
        hours, minute, second = numbers
    else:
        hours, (minute, second) = 0, (*numbers, 0)[:2]
    return int(days or 0) * 24 * 60 + hours * 60 + minute + (1 if second else 0)


def _section(path: Path, lines: list[str], name: str) -> tuple[str, ...]:
    begin, end = f"# {name}", f"# end of {name}"
    if begin not in lines or end not in lines:
        raise InputError(f"{path}: no lines {begin!r} and {end!r}", f"put them around the {name}")
    return tuple(lines[lines.index(begin) + 1 : lines.index(end)])


def _words(path: Path, number: int, text: str) -> list[str]:
    words = shlex.split(text, comments=True)
    for word in words:
        # -p debug would leave the value in doubt; one form is enough for everything Slurm knows.
        if not re.fullmatch(r"--[a-z][a-z0-9-]*(=.*)?", word):
            raise InputError(f"{path}: line {number}: {word!r} is not understood", "write #SBATCH --option=value")
    return words
