"""The manifest of a store: its shards, what they hold, and the command that makes them again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chorale.core.config import Config
from chorale.core.errors import InputError
from chorale.core.files import read_json, write_json
from chorale.data.store.shard import SHARD_SUFFIX, ShardRecord, read_record

MANIFEST = "manifest.json"


class Manifest(Config):
    """Everything about a store that can be known without opening a shard."""

    feature_hash: str
    """Identity of the feature config."""
    rebuild: str
    """Command line that makes a bad shard again; ``{shard}`` stands for the shard's path."""
    shards: tuple[ShardRecord, ...]
    """In order of file names."""

    def remedy(self, path: Path) -> str:
        """Return what to do about a bad shard."""
        return f"build it again with: {self.rebuild.replace('{shard}', str(path))}"


def write_manifest(directory: Path, feature_hash: str, rebuild: str, shards: Sequence[str] | None = None) -> Manifest:
    """Gather the shards' records into the manifest and write it.

    Args:
        directory: The store.
        feature_hash: What every shard must have been made by.
        rebuild: Command line that makes a bad shard again; ``{shard}`` in it is replaced by the shard's path.
        shards: File names that must be there; None takes every ``*.h5`` in the directory.

    Raises:
        InputError: A shard or its record is missing, was made by another config, or two shards share a key.
    """
    names = sorted(shards) if shards is not None else sorted(path.name for path in directory.glob(f"*{SHARD_SUFFIX}"))
    if not names:
        raise InputError(f"{directory}: holds no shards", f"build them with: {rebuild}")
    seen: dict[str, str] = {}
    records = []
    for name in names:
        path = directory / name
        remedy = f"build it again with: {rebuild.replace('{shard}', str(path))}"
        if not path.is_file():
            raise InputError(f"{path}: shard is missing", remedy)
        record = read_record(path)
        if record.feature_hash != feature_hash:
            raise InputError(f"{path}: made by feature config {record.feature_hash}, expected {feature_hash}", remedy)
        for key in record.keys:
            if key in seen:
                raise InputError(f"{path}: {key} stands in {seen[key]} too", "give every sample to one shard")
            seen[key] = name
        records.append(record)
    manifest = Manifest(feature_hash=feature_hash, rebuild=rebuild, shards=tuple(records))
    write_json(directory / MANIFEST, manifest.model_dump(mode="json"))
    return manifest


def read_manifest(directory: Path) -> Manifest:
    """Read a store's manifest.

    Raises:
        InputError: It is missing or damaged.
    """
    try:
        return Manifest.model_validate(read_json(directory / MANIFEST))
    except ValueError as error:
        raise InputError(f"{directory / MANIFEST}: not a store's manifest", "build the store again") from error
