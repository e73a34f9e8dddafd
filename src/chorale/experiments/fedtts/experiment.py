"""Federated Transformer-TTS as an experiment: what it is called, its stages, its report, its verbs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from chorale.experiments.fedtts.config import FedttsConfig
from chorale.experiments.fedtts.declaration import first_stages
from chorale.experiments.fedtts.results import SUMMARY_STAGE
from chorale.runs.contract import Bench, Claims, Command, Experiment, Stage
from chorale.runs.directory import Run
from chorale.runs.parts import Part


class Fedtts(Experiment[FedttsConfig]):
    """Speech synthesis trained by a federation, with a transformer whose depth grows."""

    name: ClassVar[str] = "fedtts"
    summary: ClassVar[str] = "federated Transformer-TTS with a dynamic transformer and a byte ledger (arXiv:2107.08795)"
    final_stage: ClassVar[str] = SUMMARY_STAGE
    config_class = FedttsConfig

    def prepare(self, config: FedttsConfig) -> None:
        """Fetch the corpus, if it is one of the catalogue's.

        Raises:
            InputError: It cannot be fetched.
        """
        if config.corpus.root is None:
            from chorale.data.corpora.fetch import fetch_corpus
            from chorale.data.corpora.transcripts import CORPUS_OF_LAYOUT

            fetch_corpus(CORPUS_OF_LAYOUT[config.corpus.layout], config.where.cache)

    def stages(self, config: FedttsConfig) -> Sequence[Stage]:
        """Return the stages known from the start."""
        return first_stages(config)

    def report(self, run: Run, config: FedttsConfig) -> Sequence[Part]:
        """Return the parts of the run's page."""
        if config.mode == "comparison":
            from chorale.experiments.fedtts.reporting.comparison_parts import comparison_parts

            return comparison_parts(run, config)
        from chorale.experiments.fedtts.reporting.parts import report_parts

        return report_parts(run, config)

    def commands(self) -> Sequence[Command]:
        """Return the verbs: speak a text, add up a ledger, compare two recordings."""
        from chorale.experiments.fedtts.ledger_command import ledger_command
        from chorale.experiments.fedtts.mcd_command import mcd_command
        from chorale.experiments.fedtts.speak_command import speak_command

        return (speak_command(), ledger_command(), mcd_command())

    def benches(self) -> Sequence[Bench]:
        """Return the measurement of a federation's rounds without training."""
        from chorale.experiments.fedtts.bench.federation_bench import federation_bench

        return (federation_bench(),)

    def claims(self) -> Claims:
        """Return the comparison that tests the abstract's claims."""
        from chorale.experiments.fedtts.comparison.markdown import render

        return Claims("claims.yaml", lambda config: config.mode == "comparison", render)
