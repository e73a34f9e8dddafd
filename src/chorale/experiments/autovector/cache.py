"""Results of trainings, kept below the run root under the hash of everything they depend on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from chorale.core import files
from chorale.core.config import short_hash
from chorale.core.errors import InputError


def result_key(**parts: Any) -> str:
    """Return the hash, 12 hexadecimal digits, of named JSON values: genome, recipe, data, fidelity, seed."""
    return short_hash(json.dumps(parts, sort_keys=True))


class ResultCache:
    """Results by key, below ``<runs>/.results/autovector``; shared by every run under that root.

    Args:
        runs: The run root.
    """

    def __init__(self, runs: Path) -> None:
        self.directory = runs / ".results" / "autovector"

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the result kept under ``key``; None if there is none, or it is damaged and must be made again."""
        path = self.directory / f"{key}.json"
        if not path.exists():
            return None
        try:
            value = files.read_json(path)
        except InputError:
            return None
        return value if isinstance(value, dict) else None

    def scores_path(self, key: str) -> Path:
        """Return where the scores that belong to a result are kept, for results that keep theirs."""
        return self.directory / f"{key}.txt"

    def put(self, key: str, result: dict[str, Any]) -> None:
        """Keep ``result`` under ``key``, atomically; of two writers the last stays, and both have the same."""
        files.write_json(self.directory / f"{key}.json", result)
