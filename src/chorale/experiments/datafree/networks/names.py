"""The networks that have a name here. No heavy imports: configurations check against these."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Final

from chorale.core.errors import InputError

CLASSIFIERS: Final = (
    *("lenet5", "lenet5-half", "resnet8", "resnet8-half", "resnet14-coarse", "resnet8-coarse"),
    *("resnet18", "resnet34", "mlp", "mlp-half"),
)
GENERATORS: Final = ("dfad", "mlp")


def is_import_path(name: str) -> bool:
    """Say whether ``name`` is a user's own network, ``module:function``."""
    return ":" in name


def require_known(kind: str, name: str, names: Sequence[str]) -> None:
    """Check that ``name`` is one of ``names`` or an import path, which is not looked up here.

    Args:
        kind: What it names, for the error.
        name: To be checked.
        names: Known ones.

    Raises:
        InputError: It is neither.
    """
    if name in names or is_import_path(name):
        return
    near = difflib.get_close_matches(name, names, n=1)
    known = f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"
    raise InputError(f"there is no {kind} {name!r}", f"{known}; your own is named by module:function")
