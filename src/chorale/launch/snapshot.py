"""Jobs run the code they were submitted with: a copy of the package in the run's own directory.

``<run>/code/<hash of its content>/chorale`` is made once and never changed, so an edit between submission and start
reaches no job, and what a job submits in its turn runs the same copy. An experiment of another package comes along
with its package; what that one imports besides does not.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import shutil
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

from chorale.core import files
from chorale.core.logs import get_logger
from chorale.runs.directory import Run

_PACKAGE = Path(__file__).parents[1]
_HASH_DIGITS = 12
_NEWEST = "newest"
_log = get_logger(__name__)


def snapshot(run: Run) -> Path:
    """Return the directory to put first on ``PYTHONPATH``: a copy of the run's code, made if it is new.

    Says so where the run's earlier jobs were submitted with other code.

    Raises:
        InputError: The run's directory cannot be written.
    """
    root = run.directory / "code"
    # A job's own package is such a copy already.
    if _PACKAGE.parent.parent == root:
        return _PACKAGE.parent
    sources = [_PACKAGE, *_of_the_experiment(run)]
    digest = content_hash(*sources)
    if not (root / digest).exists():
        _copy(sources, root / digest)
    newest = root / _NEWEST
    before = newest.read_text(encoding="utf-8").strip() if newest.exists() else digest
    if before != digest:
        _log.warning(
            "%s: the code has changed since jobs were last submitted (%s, now %s); new jobs run the new code",
            run.name,
            before,
            digest,
        )
    if before != digest or not newest.exists():
        files.write_text(newest, f"{digest}\n")
    return root / digest


@contextlib.contextmanager
def running(code: Path) -> Iterator[None]:
    """Let processes that are started in the block run ``code``."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(code), before] if before else [str(code)])
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def content_hash(*sources: Path) -> str:
    """Return 12 hexadecimal digits of the SHA-256 of packages and modules, by name and content."""
    digest = hashlib.sha256()
    for source in sources:
        for path in _files(source):
            content = path.read_bytes()
            digest.update(f"{path.relative_to(source.parent)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:_HASH_DIGITS]


def _of_the_experiment(run: Run) -> list[Path]:
    """Return the package, or the single module, of an experiment of somebody else's."""
    name = type(run.experiment).__module__.partition(".")[0]
    file = importlib.import_module(name).__file__
    if name == _PACKAGE.name or file is None:
        return []
    path = Path(file)
    return [path.parent if path.stem == "__init__" else path]


def _files(source: Path) -> list[Path]:
    found = [source] if source.is_file() else source.rglob("*")
    return sorted(path for path in found if path.is_file() and "__pycache__" not in path.parts)


def _copy(sources: Sequence[Path], folder: Path) -> None:
    temporary = folder.with_name(f".{folder.name}.{socket.gethostname()}.{os.getpid()}.part")
    try:
        temporary.mkdir(parents=True)
        for source in sources:
            if source.is_dir():
                shutil.copytree(source, temporary / source.name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, temporary / source.name)
        _compile(temporary, folder)
        # Another process may have been first with the same copy.
        with contextlib.suppress(FileExistsError):
            _rename(temporary, folder)
    except OSError as error:
        raise files.not_writable(folder.parent, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _compile(temporary: Path, folder: Path) -> None:
    """Compile a copy that will lie in ``folder``: once, so that a thousand tasks need not."""
    import compileall
    from py_compile import PycInvalidationMode

    # What is never changed need not be compared with its source whenever it is imported.
    unchecked = PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(temporary, ddir=str(folder), quiet=2, invalidation_mode=unchecked)


def _rename(temporary: Path, folder: Path) -> None:
    try:
        temporary.rename(folder)
    except OSError:
        if not folder.exists():
            raise
