"""What every test stands on: one thread per process, nothing sent anywhere, and run and cache roots of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Before anything imports numpy or torch, which read these once.
for _threads in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_threads] = "1"
os.environ["WANDB_MODE"] = "offline"
os.environ["WANDB_SILENT"] = "true"
os.environ["MPLBACKEND"] = "agg"

# Where everything can be installed (CI), a skip hides a failure, unless it is for want of hardware.
_NO_SKIPS = os.environ.get("CHORALE_NO_SKIPS", "0") not in ("", "0")
_HARDWARE = "GPU"


@pytest.fixture(autouse=True)
def _own_roots(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    roots = tmp_path_factory.mktemp("roots")
    monkeypatch.setenv("CHORALE_RUNS", str(roots / "runs"))
    monkeypatch.setenv("CHORALE_CACHE", str(roots / "cache"))


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of the source tree."""
    return Path(__file__).parents[1]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    report = yield
    return _fail_if_skipped(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    report = yield
    return _fail_if_skipped(report)


def _fail_if_skipped(report):
    """Turn a skip into a failure where ``CHORALE_NO_SKIPS`` is set; an expected failure is not a skip."""
    if _NO_SKIPS and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if _HARDWARE not in reason:
            report.outcome = "failed"
            report.longrepr = f"{report.nodeid}: CHORALE_NO_SKIPS is set, and this was skipped ({reason})"
    return report


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the counting experiment, in this process and in those it starts, as a package of somebody else's."""
    return install_plugin(monkeypatch)


def install_plugin(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the experiments of ``tests/plugin``, and the programs they import, on the path here and in jobs."""
    plugin, programs = (Path(__file__).parent / name for name in ("plugin", "programs"))
    monkeypatch.syspath_prepend(str(plugin))
    paths = [str(plugin), str(programs), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    return plugin
