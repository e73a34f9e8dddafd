"""Data-free distillation as an experiment: what it is called, its stages, its report, its verbs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from chorale.experiments.datafree.bench.datafree_bench import datafree_bench
from chorale.experiments.datafree.config import DatafreeConfig
from chorale.experiments.datafree.declaration import first_stages
from chorale.experiments.datafree.results import SUMMARY_STAGE
from chorale.runs.contract import Bench, Claims, Experiment, Stage
from chorale.runs.directory import Run
from chorale.runs.parts import Part


class Datafree(Experiment[DatafreeConfig]):
    """A student that learns from a teacher without the teacher's data."""

    name: ClassVar[str] = "datafree"
    summary: ClassVar[str] = "data-free adversarial distillation with AR and VI (arXiv:2102.11638)"
    final_stage: ClassVar[str] = SUMMARY_STAGE
    config_class = DatafreeConfig

    def prepare(self, config: DatafreeConfig) -> None:
        """Fetch the images, if they are one of the catalogue's.

        Raises:
            InputError: They cannot be fetched.
        """
        if config.corpus is not None and config.corpus.corpus:
            from chorale.data.corpora.fetch import fetch_corpus

            fetch_corpus(config.corpus.corpus, config.where.cache)

    def stages(self, config: DatafreeConfig) -> Sequence[Stage]:
        """Return the stages known from the start."""
        return first_stages(config)

    def report(self, run: Run, config: DatafreeConfig) -> Sequence[Part]:
        """Return the parts of the run's page."""
        if config.mode == "comparison":
            from chorale.experiments.datafree.reporting.comparison_parts import comparison_parts

            return comparison_parts(run, config)
        from chorale.experiments.datafree.reporting.parts import report_parts

        return report_parts(run, config)

    def benches(self) -> Sequence[Bench]:
        """Return the bench of images per second."""
        return (datafree_bench(),)

    def claims(self) -> Claims:
        """Return the comparison that tests the abstract's claims."""
        from chorale.experiments.datafree.comparison.markdown import render

        return Claims("claims.yaml", lambda config: config.mode == "comparison", render)
