"""Write a run's page: ``report/index.html`` and the files beside it."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

from chorale.core import files
from chorale.core.errors import WorkError
from chorale.core.logs import get_logger
from chorale.report import palette
from chorale.report.overview import describe
from chorale.report.shown import Shown, Slugs, show_part, show_table
from chorale.runs.directory import Run
from chorale.runs.parts import Part, Text

_log = get_logger(__name__)


def build_report(run: Run) -> Path:
    """Write the page of ``run``, whatever state it is in, and return its path.

    Each file is written whole or not at all. A part that cannot be shown is replaced by the reason, so that a fault in
    one never costs the page.

    Raises:
        WorkError: The page is written, but some of the experiment's parts are not in it.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    folder = run.report_page.parent
    overview = describe(run)
    slugs = Slugs()
    stages = show_table(overview.stages, slugs.take("stages"), folder)
    failures = show_table(overview.failures, slugs.take("failures"), folder) if overview.failures else None
    problems: list[str] = []
    parts = _show_all(_parts(run, problems), slugs, folder, problems)
    environment = Environment(
        loader=PackageLoader("chorale.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page = environment.get_template("page.html").render(
        run=run,
        overview=overview,
        parts=parts,
        stages=stages,
        failures=failures,
        light=palette.css(palette.LIGHT),
        dark=palette.css(palette.DARK),
        made=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    )
    files.write_text(run.report_page, page)
    if problems:
        raise WorkError(f"{run.report_page}: written, but {len(problems)} parts are missing ({problems[0]})")
    return run.report_page


def _parts(run: Run, problems: list[str]) -> Sequence[Part]:
    try:
        return run.experiment.report(run, run.config)
    # The experiment's code may throw anything; how the run stands must be shown all the same.
    except Exception as error:
        return [_instead("The report", error, problems)]


def _show_all(parts: Sequence[Part], slugs: Slugs, folder: Path, problems: list[str]) -> list[Shown]:
    shown = []
    for part in parts:
        slug = slugs.take(part.title)
        try:
            shown.append(show_part(part, slug, folder))
        except Exception as error:
            shown.append(show_part(_instead(part.title, error, problems), slug, folder))
    return shown


def _instead(title: str, error: Exception, problems: list[str]) -> Text:
    reason = str(error) if isinstance(error, WorkError) else f"{type(error).__name__}: {error}"
    problems.append(f"{title}: {reason}")
    _log.debug("%s cannot be shown", title, exc_info=_log.isEnabledFor(logging.DEBUG))
    return Text(title, f"This part cannot be shown. {reason}", role="caution")
