"""The parts of the report's page; they read what the run has so far."""

from __future__ import annotations

from typing import Any

from chorale.core import files
from chorale.experiments.autovector.config import AutovectorConfig
from chorale.experiments.autovector.reporting.plots import det_plot, front_plot, loss_plot, search_plot
from chorale.experiments.autovector.reporting.tables import all_candidates, failures, final_table, finalists_table
from chorale.experiments.autovector.results import SUMMARY_FILE, candidates
from chorale.runs.directory import Run
from chorale.runs.parts import Part, Text

_TRAINING = "The loss so far stands below; the test trials are scored after the training."


def report_parts(run: Run, config: AutovectorConfig) -> list[Part]:
    """Return the page of a search: the result with its caution, plots, failures, every candidate, what is whose."""
    searching = config.search.algorithm != "none"
    known = candidates(run)
    summary_path = run.artifacts / SUMMARY_FILE
    summary = files.read_json(summary_path) if summary_path.exists() else None
    parts: list[Part] = []
    if summary is None:
        ended = sum(candidate.record.state.ended for candidate in known)
        body = f"{ended} of {len(known)} candidates declared so far have ended; the final comparison comes last."
        parts.append(Text("The search goes on", body) if searching else Text("The training goes on", _TRAINING))
    else:
        parts += [Text("What was measured", summary["verdict"]), final_table(summary, config)]
    parts.append(_caution(config, summary))
    if searching:
        parts += [search_plot(known), front_plot(known, config)]
    else:
        parts.append(loss_plot(run))
    if summary is not None:
        parts += [det_plot(run, summary, config), finalists_table(summary, config)]
    if searching:
        parts += [failures(known), all_candidates(known, config)]
    return [*parts, _what_is_whose()]


def _caution(config: AutovectorConfig, summary: dict[str, Any] | None) -> Text:
    size = ""
    if summary is not None:
        size = (
            f" The test list has {summary['target_trials']} target and {summary['non_target_trials']} non-target "
            f"trials of {summary['test_speakers']} speakers."
        )
    if config.corpus.layout == "packages":
        body = (
            "These are real recordings, but speaker, language, microphone and words go together in them, which "
            "flatters any model: an EER here says less about telling people apart than the same EER on VoxCeleb." + size
        )
        return Text("Before trusting a figure", body, role="caution")
    body = "Figures hold for this corpus, its split and this trial list; compare them with no other." + size
    return Text("Before trusting a figure", body, role="caution")


def _what_is_whose() -> Text:
    return Text(
        "What the paper says, and what was chosen here",
        "The abstract of arXiv:2008.05695 says: architecture search is brought into the x-vector network, an "
        "evolutionary algorithm finds promising networks, and the result beats hand-made speaker verification "
        "models.\n\n"
        "Chosen here, since nothing more of it could be read: the genes and their values, the seed individual (Kaldi's "
        "x-vector), ageing evolution and random search as its baseline, the fitness (EER on search-dev speakers), the "
        "training recipe and the cosine back end. Layers keep the number of frames by padding. Both searches have the "
        "same number of evaluations of the same number of training steps. Test trials are scored by the finalists "
        "alone.",
    )
