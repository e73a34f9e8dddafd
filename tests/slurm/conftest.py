from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chorale.core.errors import InputError
from chorale.launch.testbed import Testbed, down, up
from chorale.launch.testbed.processes import is_alive

# Short, since sockets lie in it; a folder for each test session, so that sessions do not disturb one another.
TESTBEDS = Path("/var/tmp/chorale-testbed-tests")


@pytest.fixture(scope="session")
def testbed() -> Iterator[Testbed]:
    """A Slurm cluster of four nodes for the whole session; a test that breaks it must mend it."""
    for folder in TESTBEDS.glob("*"):
        session = folder.name.partition("-")[0]
        if not is_alive(int(session)):
            _remove(Testbed.at(folder))
    with _removed_at_the_end(Testbed.at(TESTBEDS / str(os.getpid()))) as bed:
        _up_or_skip(bed, nodes=4)
        yield bed


@pytest.fixture
def spare_testbed() -> Iterator[Testbed]:
    """A cluster of two nodes beside the other, to be broken and stopped at will."""
    with _removed_at_the_end(Testbed.at(TESTBEDS / f"{os.getpid()}-spare")) as bed:
        _up_or_skip(bed, nodes=2)
        yield bed


@pytest.fixture
def on_testbed(testbed: Testbed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Testbed:
    """Make this process, in the ordinary namespaces, a client of the cluster, and ``tmp_path`` its directory."""
    for name, value in testbed.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return testbed


@pytest.fixture
def own_slurm(on_testbed: Testbed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, checkout: Path) -> Path:
    """A copy of ``slurm/`` that a test may edit, and a run root of its own beside it."""
    slurm = Path(shutil.copytree(checkout / "slurm", tmp_path / "slurm"))
    monkeypatch.setenv("CHORALE_SLURM", str(slurm))
    monkeypatch.setenv("CHORALE_RUNS", str(tmp_path / "runs"))
    # The templates put the environment of the checkout on the path.
    monkeypatch.setenv("CHORALE_HOME", str(Path(sys.prefix).parent))
    return slurm


def _up_or_skip(bed: Testbed, nodes: int) -> None:
    try:
        up(bed, nodes=nodes)
    except InputError as error:
        pytest.skip(str(error))


@contextlib.contextmanager
def _removed_at_the_end(bed: Testbed) -> Iterator[Testbed]:
    try:
        yield bed
    finally:
        if bed.directory.exists():
            _remove(bed)


def _remove(bed: Testbed) -> None:
    down(bed)
    shutil.rmtree(bed.directory)
