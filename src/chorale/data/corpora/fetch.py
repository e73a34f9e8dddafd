"""Fetching corpora into the cache: pinned, checked, unpacked, never built; whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from chorale.core.errors import InputError
from chorale.core.files import not_writable, require_writable, sha256, write_json
from chorale.core.logs import get_logger
from chorale.data.corpora.catalogue import CATALOGUE, find_corpus
from chorale.data.corpora.packages import RECORD, Package, unpack
from chorale.data.corpora.sources import SourceUnavailableError, download

_MB = 1e6
_STALE_S = 24 * 3600.0
_log = get_logger(__name__)


class Fetched(NamedTuple):
    """A corpus that lies in the cache."""

    name: str
    """The corpus: the one asked for, or the one that serves in its place."""
    folders: list[Path]
    """The unpacked packages, in the catalogue's order."""


def list_corpora(cache: Path) -> list[dict[str, Any]]:
    """Return one JSON-able row per corpus: name, what, packages, licences, megabytes, and whether it is fetched."""
    return [
        {
            "name": corpus.name,
            "what": corpus.what,
            "packages": [f"{package.source}:{package.name} {package.version}" for package in corpus.packages],
            "licences": sorted({package.licence for package in corpus.packages}),
            "megabytes": round(sum(package.bytes for package in corpus.packages) / _MB, 1),
            "fetched": all(package.is_fetched(cache) for package in corpus.packages),
        }
        for corpus in CATALOGUE
    ]


def fetched_corpus(name: str, cache: Path) -> Fetched | None:
    """Return a corpus, or the one that serves in its place, if it is in the cache; else None."""
    corpus = find_corpus(name)
    for candidate in [corpus, *([find_corpus(corpus.instead)] if corpus.instead else [])]:
        if all(package.is_fetched(cache) for package in candidate.packages):
            return Fetched(candidate.name, [package.folder(cache) for package in candidate.packages])
    return None


def fetch_corpus(name: str, cache: Path) -> Fetched:
    """Fetch what is missing of a corpus; packages that are there already are left alone.

    Where a registry cannot be used (no apt, no such version), the corpus named in the catalogue serves instead, and
    that is said.

    Raises:
        InputError: The name is unknown, the cache cannot be written, a checksum is wrong, or nothing can be fetched.
    """
    corpus = find_corpus(name)
    try:
        return Fetched(corpus.name, fetch_packages(corpus.packages, cache))
    except SourceUnavailableError as error:
        if corpus.instead is None:
            raise
        _log.warning("%s: %s. Fetching %s instead: %s", name, error, corpus.instead, find_corpus(corpus.instead).what)
        instead = find_corpus(corpus.instead)
        return Fetched(instead.name, fetch_packages(instead.packages, cache))


def fetch_packages(packages: Sequence[Package], cache: Path) -> list[Path]:
    """Fetch packages into the cache and return their folders."""
    missing = [package for package in packages if not package.is_fetched(cache)]
    if missing:
        require_writable(cache / "corpora")
        _remove_stale(cache / "corpora")
    for package in missing:
        _fetch(package, cache)
    return [package.folder(cache) for package in packages]


def _fetch(package: Package, cache: Path) -> None:
    started = time.time()
    corpora = cache / "corpora"
    _log.info("%s %s (%.0f MB): licence %s", package.name, package.version, package.bytes / _MB, package.licence)
    work = Path(tempfile.mkdtemp(prefix=f".{package.folder_name}.", dir=corpora))
    try:
        archives, tree = work / "archive", work / "tree"
        archives.mkdir()
        archive = download(package, archives, corpora / ".apt")
        found = sha256(archive)
        if found != package.sha256:
            raise InputError(
                f"{package.name} {package.version}: SHA-256 is {found}, expected {package.sha256}",
                "fetch again; if it stays so, the registry's file has changed and must not be trusted",
            )
        unpack(archive, tree)
        seconds = round(time.time() - started, 1)
        write_json(tree / RECORD, {**package.model_dump(mode="json"), "seconds": seconds, "fetched_at": started})
        target = package.folder(cache)
        if target.exists() and not package.is_fetched(cache):
            shutil.rmtree(target)
        _rename(tree, target)
    except PermissionError as error:
        raise not_writable(corpora, error) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _rename(tree: Path, target: Path) -> None:
    try:
        tree.rename(target)
    except OSError:
        # Another process may have put the same package there meanwhile: its folder is as good as ours.
        if not (target / RECORD).is_file():
            raise


def _remove_stale(corpora: Path) -> None:
    """Remove what fetches that were killed more than a day ago left behind."""
    for path in corpora.glob(".*-*"):
        if path.is_dir() and time.time() - path.stat().st_mtime > _STALE_S:
            shutil.rmtree(path, ignore_errors=True)
