"""Which code a run was begun with: commit, uncommitted changes, versions."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = ("chorale", "torch", "torchaudio", "numpy", "h5py", "submitit", "wandb")
_GIT_TIMEOUT_S = 10
# A diff is kept to reproduce a run, not to archive a data set that somebody forgot to ignore.
_MAX_DIFF_CHARACTERS = 1_000_000


def describe_code() -> dict[str, Any]:
    """Return commit, diff against it, Python and package versions; git's parts are None outside a checkout."""
    diff = _git("diff", "HEAD")
    return {
        "commit": _git("rev-parse", "HEAD"),
        "diff": diff[:_MAX_DIFF_CHARACTERS] if diff else diff,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    here = Path(__file__).parent
    try:
        done = subprocess.run(
            ["git", "-C", str(here), *arguments], capture_output=True, text=True, timeout=_GIT_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
