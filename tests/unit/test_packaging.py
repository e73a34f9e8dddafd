"""What a fresh set-up installs, and how it is tested."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution, entry_points, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.unit

# What a distribution provides without saying so.
PROVIDERS_UNSAID = {"dlib": ["dlib-bin"]}


@pytest.fixture(scope="module")
def project(checkout: Path) -> dict:
    return tomllib.loads((checkout / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def pins(checkout: Path) -> dict[str, str]:
    lines = (checkout / "requirements.lock").read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def _requirements(project: dict) -> list[Requirement]:
    texts = [*project["dependencies"], *(text for extra in project["optional-dependencies"].values() for text in extra)]
    return [Requirement(text) for text in texts]


def test_every_package_that_is_imported_is_a_requirement(checkout: Path, project: dict) -> None:
    required = {canonicalize_name(requirement.name) for requirement in _requirements(project)}
    providers = {**packages_distributions(), **PROVIDERS_UNSAID}
    undeclared = {
        f"{path.relative_to(checkout)}: {name}"
        for path in (checkout / "src").rglob("*.py")
        # What a bench compares with lives in an environment of its own, and so does what it runs there.
        if not path.name.endswith("_program.py")
        for name in _imported(path) - sys.stdlib_module_names - {"chorale"}
        if not required & {canonicalize_name(provider) for provider in providers.get(name, [name])}
    }
    assert undeclared == set()


def test_every_requirement_is_pinned_within_its_range(project: dict, pins: dict[str, str]) -> None:
    versions = {canonicalize_name(name): version for name, version in pins.items()}
    outside = [
        f"{requirement} pinned at {versions.get(canonicalize_name(requirement.name))}"
        for requirement in _requirements(project)
        if not requirement.specifier.contains(versions.get(canonicalize_name(requirement.name), "0"), prereleases=True)
    ]
    assert outside == []


def test_every_requirement_of_a_pinned_package_is_pinned_too(pins: dict[str, str]) -> None:
    versions = {canonicalize_name(name): version for name, version in pins.items()}
    unpinned = set()
    for name in versions:
        try:
            texts = distribution(name).requires or []
        except ModuleNotFoundError:
            continue  # Horovod and DeepSpeed, before `make native`
        for requirement in map(Requirement, texts):
            wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if wanted and not _is_cuda(requirement.name) and canonicalize_name(requirement.name) not in versions:
                unpinned.add(f"{name} needs {requirement.name}")
    assert unpinned == set()


def test_pins_name_no_cuda_package_no_local_build_and_no_file(pins: dict[str, str]) -> None:
    strange = [f"{name}=={version}" for name, version in pins.items() if not re.fullmatch(r"[0-9][0-9a-z.]*", version)]
    assert strange == []
    assert [name for name in pins if _is_cuda(name)] == []


def test_every_declared_command_and_experiment_can_be_loaded() -> None:
    declared = [
        *entry_points(group="chorale.experiments"),
        *(entry for entry in entry_points(group="console_scripts") if entry.value.startswith("chorale.")),
    ]
    assert {"autovector", "chorale"} <= {entry.name for entry in declared}
    for entry in declared:
        assert callable(entry.load())


def test_make_refuses_a_python_it_was_not_written_for_in_one_line(checkout: Path, tmp_path: Path) -> None:
    old = tmp_path / "python-of-old"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.8.18\nexit 1\n')
    old.chmod(0o755)
    (tmp_path / "Makefile").symlink_to(checkout / "Makefile")
    for name in ("pyproject.toml", "requirements.lock"):
        (tmp_path / name).touch()
    done = subprocess.run(
        ["make", "setup", f"PYTHON={old}"], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )
    said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert done.returncode == 2
    assert len(said) == 1
    assert "Python 3.11 to 3.13 is needed" in said[0]
    assert "3.8.18" in said[0]
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize(
    ("reason", "no_skips", "outcome"),
    [
        ("mpirun is not installed", "1", "1 failed"),
        ("mpirun is not installed", "0", "1 skipped"),
        ("needs a GPU", "1", "1 skipped"),
    ],
)
@pytest.mark.parametrize("place", ["in-a-test", "at-import"])
def test_a_skip_for_want_of_an_install_fails_where_none_is_allowed(
    checkout: Path, tmp_path: Path, reason: str, no_skips: str, outcome: str, place: str
) -> None:
    at_import = f"pytest.skip({reason!r}, allow_module_level=True)" if place == "at-import" else ""
    (tmp_path / "conftest.py").symlink_to(checkout / "tests" / "conftest.py")
    (tmp_path / "test_it.py").write_text(f"import pytest\n{at_import}\ndef test_it(): pytest.skip({reason!r})\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-ra", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", ".", "."],
        cwd=tmp_path,
        env={**os.environ, "CHORALE_NO_SKIPS": no_skips},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if place == "at-import":
        outcome = outcome.replace("failed", "error")
    assert outcome in done.stdout
    assert reason in done.stdout


def _is_cuda(name: str) -> bool:
    return name.startswith(("nvidia-", "cuda-", "triton", "pytorch-triton"))


def _imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return names
