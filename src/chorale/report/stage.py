"""The report as the last stage of a run."""

from __future__ import annotations

from typing import Any

from chorale.report.page import build_report
from chorale.runs.context import Context
from chorale.runs.contract import Outcome


def report_stage(context: Context, config: Any) -> Outcome:
    """Write the page of the run and return where it lies, relative to the run's directory.

    Raises:
        WorkError: Some of the experiment's parts cannot be shown.
    """
    page = build_report(context.run)
    return Outcome({"page": str(page.relative_to(context.run.directory))})
