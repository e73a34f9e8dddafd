"""Auto-Vector as an experiment: what it is called, its stages, its report, its verb."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from chorale.experiments.autovector.config import AutovectorConfig
from chorale.experiments.autovector.declaration import first_stages
from chorale.experiments.autovector.results import SUMMARY_STAGE
from chorale.experiments.autovector.score_file import score_command
from chorale.runs.contract import Command, Experiment, Stage
from chorale.runs.directory import Run
from chorale.runs.parts import Part


class Autovector(Experiment[AutovectorConfig]):
    """Evolutionary search for speaker verification networks."""

    name: ClassVar[str] = "autovector"
    summary: ClassVar[str] = "evolutionary search for speaker verification networks (Auto-Vector, arXiv:2008.05695)"
    final_stage: ClassVar[str] = SUMMARY_STAGE
    config_class = AutovectorConfig

    def prepare(self, config: AutovectorConfig) -> None:
        """Fetch the corpus, if it is one of the catalogue's.

        Raises:
            InputError: It cannot be fetched.
        """
        if config.corpus.root is None:
            from chorale.data.corpora.fetch import fetch_corpus

            fetch_corpus(config.corpus.corpus, config.where.cache)

    def stages(self, config: AutovectorConfig) -> Sequence[Stage]:
        """Return the stages known from the start; the rest is bred by them."""
        return first_stages(config)

    def report(self, run: Run, config: AutovectorConfig) -> Sequence[Part]:
        """Return the parts of the run's page."""
        from chorale.experiments.autovector.reporting.parts import report_parts

        return report_parts(run, config)

    def commands(self) -> Sequence[Command]:
        """Return the verb that measures score files."""
        return (score_command(),)
