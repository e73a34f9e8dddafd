"""Track a run with W&B after the fact: whatever goes wrong there is one warning, and the run goes on."""

from __future__ import annotations

import atexit
import logging
from collections.abc import Callable

from chorale.core.logs import get_logger
from chorale.runs.directory import Run
from chorale.tracking.description import Export, export_item, export_run
from chorale.tracking.exporter import Exporter

LIMITS_S = {"offline": 30.0, "online": 60.0}
"""How long an export may take, by mode. After one that took longer this process tracks no more."""

_log = get_logger(__name__)


class _Tracker:
    def __init__(self) -> None:
        self._exporter: Exporter | None = None
        self._gave_up = False
        self._warned: set[str] = set()

    def track(self, run: Run, describe: Callable[[], Export]) -> bool:
        try:
            where = run.config.where
            if where.tracking == "disabled" or self._gave_up:
                return False
            if self._exporter is None or not self._exporter.usable:
                self._exporter = Exporter(verbose=_log.isEnabledFor(logging.DEBUG))
                atexit.register(self._exporter.close)
            self._exporter.export(describe(), run.directory, where.tracking, where.project, LIMITS_S[where.tracking])
        except TimeoutError as error:
            self._gave_up = True
            self._warn(run, f"{error}; not tracked from here on")
            return False
        # An exporter must never end the work that it reports, whatever W&B throws.
        except Exception as error:
            self._warn(run, f"{error}")
            return False
        return True

    def _warn(self, run: Run, reason: str) -> None:
        if reason not in self._warned:
            self._warned.add(reason)
            _log.warning("W&B: %s not tracked: %s", run.name, " ".join(reason.split()))


_tracker = _Tracker()


def track_item(run: Run, stage: str, index: int) -> bool:
    """Export one item's events, configuration and result to W&B, as ``run.config.where`` says; never raises.

    The W&B run lies below ``<run>/wandb``, in the group of the run's name, with the stage's name (less a trailing
    number) as its job type and an id that depends on run, stage and index alone: a second export replaces the first.
    Only one process of an item should call this.

    Returns:
        Whether it was exported.
    """
    return _tracker.track(run, lambda: export_item(run, stage, index))


def track_run(run: Run) -> bool:
    """Export the run as a whole: configuration, code, stages, and the final stage's result; never raises.

    Returns:
        Whether it was exported.
    """
    return _tracker.track(run, lambda: export_run(run))
