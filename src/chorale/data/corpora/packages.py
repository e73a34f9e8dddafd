"""What a corpus package is, where it lies in the cache, and how its archive is opened. Nothing in it is ever run."""

from __future__ import annotations

import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Literal

from pydantic import Field

from chorale.core.config import Config
from chorale.core.errors import InputError

RECORD = "fetched.json"
"""Written into a package's folder last: what was fetched, when, and how long it took."""


class Package(Config):
    """One archive of a registry, pinned."""

    source: Literal["debian", "pypi", "npm"]
    """Who offers it: Debian's archive (apt), PyPI (source archive), npm."""
    name: str
    """Name in that registry."""
    version: str
    """Exact version."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Checksum of the archive."""
    bytes: int = Field(gt=0)
    """Size of the archive."""
    licence: str
    """As the package states it."""
    what: str
    """One line for ``corpora list``."""

    @property
    def folder_name(self) -> str:
        """Name of its folder in the cache; a Debian epoch's colon is not welcome in paths."""
        return f"{self.name}-{self.version.replace(':', '-')}"

    def folder(self, cache: Path) -> Path:
        """Return where the unpacked package lies (or will lie)."""
        return cache / "corpora" / self.folder_name

    def is_fetched(self, cache: Path) -> bool:
        """Say whether the package has been fetched and unpacked whole."""
        return (self.folder(cache) / RECORD).is_file()


def unpack(archive: Path, target: Path) -> None:
    """Unpack an archive (``.deb``, ``.tar.*``, ``.tgz``, ``.zip``, ``.whl``) into ``target``.

    Raises:
        InputError: The archive is damaged, or a member would land outside ``target``.
    """
    target.mkdir(parents=True, exist_ok=True)
    try:
        if archive.suffix == ".deb":
            command = ["dpkg-deb", "--extract", str(archive), str(target)]
            subprocess.run(command, check=True, capture_output=True, text=True)
        elif archive.suffix in {".zip", ".whl"}:
            with zipfile.ZipFile(archive) as zipped:
                zipped.extractall(target)
        else:
            with tarfile.open(archive) as tar:
                tar.extractall(target, filter="data")
    except tarfile.FilterError as error:
        raise InputError(f"{archive.name}: refused to unpack ({error})", "do not trust this archive") from error
    except subprocess.CalledProcessError as error:
        raise InputError(f"{archive.name}: cannot be unpacked ({error.stderr.strip()})", "fetch again") from error
    except (OSError, tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise InputError(f"{archive.name}: cannot be unpacked ({error})", "fetch again") from error
