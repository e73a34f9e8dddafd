"""Checkpoints: written by all ranks under a temporary name, checksummed, committed by one atomic rename.

``step-00000120/`` holds every rank's files and ``manifest.json`` (sizes, SHA-256, step, attempt, world size, metrics).
While it is written it is called ``step-00000120.<attempt>.part``; only what bears the final name and fits its manifest
counts. A crash at any moment leaves the checkpoint before it as it was.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from chorale.core import files
from chorale.core.errors import ChoraleError, DiskFullError, WorkError
from chorale.core.logs import get_logger
from chorale.ranks.group import Group

MANIFEST = "manifest.json"
_NAME = re.compile(r"step-(\d+)")
_PART = re.compile(r"step-\d+\.(\d+)\.part")
# A file that others could change must not be read back as one's own.
_OTHERS_MAY_NOT_WRITE = ~0o022
_log = get_logger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint.

    Attributes:
        directory: Where it lies.
        step: Steps done when it was written.
        attempt: Which attempt wrote it.
        world_size: Number of ranks that wrote it.
        metrics: Named values at that step, for keeping the best.
        files: Size in bytes and SHA-256 of every file, by path below the directory.
    """

    directory: Path
    step: int
    attempt: int
    world_size: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    files: Mapping[str, tuple[int, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Keep:
    """Which checkpoints stay.

    Attributes:
        last: So many newest ones.
        best_of: The metric by which the best one stays besides; none does if None.
        highest: Whether the best has the highest value, not the lowest.
    """

    last: int = 2
    best_of: str | None = None
    highest: bool = False


class Checkpoints:
    """The checkpoints of one item, as the ranks of one attempt write and read them.

    Args:
        directory: Of this item's checkpoints, on a disk that every rank sees.
        group: The ranks.
        attempt: This attempt's number.
        keep: Which stay.
        still_ours: Raises if another attempt holds the item now.
    """

    def __init__(
        self, directory: Path, group: Group, attempt: int, keep: Keep, still_ours: Callable[[], None] = lambda: None
    ) -> None:
        self.directory = directory
        self._group, self._attempt, self._keep, self._still_ours = group, attempt, keep, still_ours

    def save(self, step: int, write: Callable[[Path], Iterable[Path]], metrics: Mapping[str, float]) -> None:
        """Write and commit the checkpoint of ``step``; called on ALL ranks, and fails on all if it fails on one.

        Args:
            step: Steps done.
            write: Writes this rank's files below the directory it is given, and returns them.
            metrics: Named values, for keeping the best.

        Raises:
            WorkError: It could not be written; the checkpoint before it is untouched.
            DiskFullError: Since there was no room.
            SupersededError: Another attempt holds the item now.
        """
        part = self.directory / f"{_name(step)}.{self._attempt}.part"
        try:
            self._on_rank_0(lambda: self._begin(part))
            entries = self._all_or_none(lambda: [_seal(part, path) for path in write(part)])
            self._on_rank_0(lambda: self._commit(part, step, entries, metrics))
        except ChoraleError:
            if self._group.rank == 0:
                shutil.rmtree(part, ignore_errors=True)
            raise

    def newest(self) -> Checkpoint | None:
        """Return the newest complete checkpoint, the same on ALL ranks; what is damaged is skipped with a log line."""
        found = newest_complete(self.directory) if self._group.rank == 0 else None
        return self._group.broadcast(found)

    def _begin(self, part: Path) -> None:
        self._still_ours()
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)

    def _commit(self, part: Path, step: int, entries: dict[str, tuple[int, str]], metrics: Mapping[str, float]) -> None:
        target = self.directory / _name(step)
        made = Checkpoint(target, step, self._attempt, self._group.size, dict(metrics), entries)
        tree = asdict(made)
        del tree["directory"]
        files.write_json(part / MANIFEST, tree)
        for path in (part, *part.rglob("*")):
            path.chmod(path.stat().st_mode & _OTHERS_MAY_NOT_WRITE)
        self._still_ours()
        if target.exists():
            # An earlier attempt came as far: what it left is as good, unless it is damaged.
            if _complete(target) is not None:
                shutil.rmtree(part)
                return
            shutil.rmtree(target)
        part.rename(target)
        _sync_directory(self.directory)
        self._prune()

    def _prune(self) -> None:
        known = [found for path in _directories(self.directory) if (found := _read_manifest(path)) is not None]
        kept = {checkpoint.step for checkpoint in known[: self._keep.last]}
        metric = self._keep.best_of
        rated = [checkpoint for checkpoint in known if metric is not None and metric in checkpoint.metrics]
        if rated and metric is not None:
            sign = -1.0 if self._keep.highest else 1.0
            kept.add(min(rated, key=lambda checkpoint: sign * checkpoint.metrics[metric]).step)
        for checkpoint in known:
            if checkpoint.step not in kept:
                shutil.rmtree(checkpoint.directory, ignore_errors=True)
        for path in self.directory.glob("step-*.part"):
            part = _PART.fullmatch(path.name)
            if part and int(part[1]) <= self._attempt:
                shutil.rmtree(path, ignore_errors=True)

    def _on_rank_0(self, act: Callable[[], None]) -> None:
        """Let rank 0 act, and fail on all ranks if it fails."""
        failed: Exception | None = None
        if self._group.rank == 0:
            try:
                act()
            except Exception as error:
                failed = self._explained(error)
        failed = self._group.broadcast(failed)
        if failed is not None:
            raise failed

    def _all_or_none(self, act: Callable[[], list[tuple[str, tuple[int, str]]]]) -> dict[str, tuple[int, str]]:
        """Let all ranks act; return what all of them told, or fail on all if one fails."""
        failed: Exception | None = None
        told: list[tuple[str, tuple[int, str]]] = []
        try:
            told = act()
        except Exception as error:
            failed = self._explained(error)
        answers = self._group.gather((failed, told))
        for failure, _ in answers:
            if failure is not None:
                raise failure
        return {name: entry for _, entries in answers for name, entry in entries}

    def _explained(self, error: Exception) -> Exception:
        if isinstance(error, ChoraleError) and not files.is_disk_full(error):
            return error
        where = f"{self.directory}: rank {self._group.rank} could not save"
        stays = "the checkpoint before it is untouched"
        if self._is_full(error):
            return DiskFullError(f"{where}: the disk is full; {stays}", "make room or lower checkpoint.keep_last")
        return WorkError(f"{where} ({type(error).__name__}: {error}); {stays}")

    def _is_full(self, error: BaseException) -> bool:
        if files.is_disk_full(error):
            return True
        # torch reports a failed write without saying why.
        disk = os.statvfs(self.directory)
        return disk.f_bavail * disk.f_frsize < os.sysconf("SC_PAGE_SIZE") * 16


def newest_complete(directory: Path) -> Checkpoint | None:
    """Return the newest checkpoint whose files are all there and whole; each damaged one is skipped with a log line."""
    for path in _directories(directory):
        found = _complete(path)
        if found is not None:
            return found
    return None


def _directories(directory: Path) -> list[Path]:
    found = [path for path in directory.glob("step-*") if _NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: -int(path.name.removeprefix("step-")))


def _complete(path: Path) -> Checkpoint | None:
    found = _read_manifest(path)
    if found is None:
        return None
    for name, (size, digest) in found.files.items():
        file = path / name
        if not file.is_file():
            reason = "is missing"
        elif file.stat().st_size != size:
            reason = f"has {file.stat().st_size} bytes where {size} were written"
        elif files.sha256(file) != digest:
            reason = "is damaged"
        else:
            continue
        _log.warning("%s is skipped: %s %s", path, name, reason)
        return None
    return found


def _read_manifest(path: Path) -> Checkpoint | None:
    try:
        tree: dict[str, Any] = files.read_json(path / MANIFEST)
        entries = {name: (int(size), str(digest)) for name, (size, digest) in tree.pop("files").items()}
        return Checkpoint(directory=path, files=entries, **tree)
    except (ChoraleError, AttributeError, KeyError, TypeError, ValueError) as error:
        _log.warning("%s is skipped: its manifest is missing or damaged (%s)", path, error)
        return None


def _name(step: int) -> str:
    return f"step-{step:08d}"


def _seal(part: Path, path: Path) -> tuple[str, tuple[int, str]]:
    """Make sure that a file is on disk, and return its name, size and checksum."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return str(path.relative_to(part)), (path.stat().st_size, files.sha256(path))


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
