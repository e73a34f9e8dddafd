"""The one place where torchaudio is imported."""

from __future__ import annotations

import importlib
from types import ModuleType

from chorale.core.errors import InputError


def import_torchaudio(module: str = "torchaudio") -> ModuleType:
    """Import torchaudio, or one of its modules such as ``torchaudio.functional``.

    Raises:
        InputError: It is missing, or its compiled libraries cannot be loaded.
    """
    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as error:
        raise InputError(
            f"torchaudio cannot be imported ({error})", "run: python -m chorale.media.audio.mend"
        ) from error
