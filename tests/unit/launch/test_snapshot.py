"""Jobs run a copy of the package, made once for each state of its source."""

import os
import shutil
import subprocess
import sys
from importlib.util import source_from_cache
from pathlib import Path

import pytest

from chorale.launch.snapshot import content_hash, running

pytestmark = pytest.mark.unit

# In a process of its own, which runs the checkout under test: taking a snapshot copies the package it is part of.
TAKE = """
import logging, sys
from pathlib import Path
from chorale.launch.snapshot import snapshot
from chorale.runs.directory import Run
logging.basicConfig(level=logging.WARNING)
print(snapshot(Run(Path(sys.argv[1]))))
"""


@pytest.fixture
def package(tmp_path: Path, checkout: Path) -> Path:
    """A checkout whose source a test may edit."""
    return Path(shutil.copytree(checkout / "src" / "chorale", tmp_path / "checkout" / "chorale"))


def take(package_root: Path, run: Path, experiment: str = "sleep", plugins: str = "") -> tuple[Path, str]:
    run.mkdir(exist_ok=True)
    (run / "config.yaml").write_text(f"experiment: {experiment}\n")
    environment = {**os.environ, "PYTHONPATH": f"{package_root}{os.pathsep}{plugins}"}
    command = [sys.executable, "-c", TAKE, str(run)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return Path(done.stdout.strip()), done.stderr


def test_a_snapshot_is_the_package_as_it_is_now_and_is_made_once(package: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    first, _ = take(package.parent, run)
    assert first == run / "code" / content_hash(package)
    assert content_hash(first / "chorale") == content_hash(package)
    made = (first / "chorale" / "__init__.py").stat().st_ino
    again, told = take(package.parent, run)
    assert (again, told) == (first, "")
    assert (first / "chorale" / "__init__.py").stat().st_ino == made
    assert sorted(path.name for path in (run / "code").iterdir()) == sorted([first.name, "newest"])


def test_a_snapshot_is_compiled_and_its_tracebacks_name_its_own_files(package: Path, tmp_path: Path) -> None:
    first, _ = take(package.parent, tmp_path / "run")
    assert {source_from_cache(str(path)) for path in first.rglob("*.pyc")} == set(map(str, first.rglob("*.py")))
    asks = "import chorale.core.config as module; print(module.load.__code__.co_filename)"
    environment = {**os.environ, "PYTHONPATH": str(first)}
    done = subprocess.run([sys.executable, "-c", asks], env=environment, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()) == first / "chorale" / "core" / "config.py"


def test_a_job_that_runs_a_snapshot_hands_the_same_one_on(package: Path, tmp_path: Path) -> None:
    first, _ = take(package.parent, tmp_path / "run")
    (package / "__init__.py").write_text('"""Edited."""\n')
    handed_on, told = take(first, tmp_path / "run")
    assert (handed_on, told) == (first, "")


def test_edited_code_makes_another_snapshot_and_says_so(package: Path, tmp_path: Path) -> None:
    first, _ = take(package.parent, tmp_path / "run")
    (package / "__init__.py").write_text('"""Edited."""\n')
    second, told = take(package.parent, tmp_path / "run")
    assert second != first
    assert (first / "chorale" / "__init__.py").read_text() != (second / "chorale" / "__init__.py").read_text()
    assert "the code has changed since jobs were last submitted" in told
    assert first.name in told
    assert second.name in told


def test_an_experiment_of_another_package_comes_along(package: Path, tmp_path: Path, checkout: Path) -> None:
    plugin = Path(shutil.copytree(checkout / "tests" / "plugin", tmp_path / "plugin"))
    first, _ = take(package.parent, tmp_path / "run", "counting", str(plugin))
    assert (first / "counting.py").read_bytes() == (plugin / "counting.py").read_bytes()
    (plugin / "counting.py").open("a").write("# edited\n")
    second, told = take(package.parent, tmp_path / "run", "counting", str(plugin))
    assert (second != first, "the code has changed" in told) == (True, True)


def test_compiled_files_do_not_count_but_names_and_contents_do(package: Path) -> None:
    before = content_hash(package)
    (package / "__pycache__").mkdir(exist_ok=True)
    (package / "__pycache__" / "x.pyc").write_bytes(b"compiled")
    assert content_hash(package) == before
    (package / "py.typed").rename(package / "py.untyped")
    assert content_hash(package) != before


def test_processes_started_meanwhile_find_the_snapshot_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    with running(tmp_path):
        assert os.environ["PYTHONPATH"] == f"{tmp_path}{os.pathsep}/somewhere"
    assert os.environ["PYTHONPATH"] == "/somewhere"
    monkeypatch.delenv("PYTHONPATH")
    with running(tmp_path):
        assert os.environ["PYTHONPATH"] == str(tmp_path)
    assert "PYTHONPATH" not in os.environ
