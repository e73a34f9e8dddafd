"""Paragraphs of the report: the main figures, what they do not show, and what is the paper's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chorale.core.errors import MissingExtraError
from chorale.experiments.fedtts.config import FedttsConfig
from chorale.experiments.fedtts.federation.ledger import Ledger
from chorale.experiments.fedtts.federation.privacy.differential import epsilon, local_epsilon
from chorale.experiments.fedtts.reporting.history import History
from chorale.experiments.fedtts.results import TRAINED, UNTRAINED
from chorale.runs.parts import Text

_SHORT_S = 3600.0
_MB = 1e6


def measured(
    config: FedttsConfig, history: History, ledger: Ledger | None, speech: Mapping[str, Mapping[str, Any]] | None
) -> Text:
    """Return the main figures so far.

    Args:
        config: Of the run.
        history: Of its training.
        ledger: Of a federation that has saved itself.
        speech: Means by voice, once they are measured.
    """
    federated = config.mode == "federated"
    goal = config.federation.rounds if federated else config.recipe.steps
    if history.last == 0:
        what = f"A federation of {config.federation.clients} clients" if federated else "A central training"
        return Text("Nothing is trained yet", f"{what} is to do {goal:,} {'rounds' if federated else 'steps'}.")
    sentences = _federation(config, history, ledger) if federated else _central(config, history)
    sentences += _privacy(config, history.last) if federated else []
    if speech is None:
        follows = "The training goes on" if history.last < goal else "The training has ended; speech comes next"
        return Text(follows, " ".join([*sentences, "Nothing is spoken yet."]))
    return Text("What was measured", " ".join([*sentences, *_speech(config, speech)]))


def _federation(config: FedttsConfig, history: History, ledger: Ledger | None) -> list[str]:
    federation = config.federation
    sentences = [
        f"A federation of {federation.clients} clients did {history.last:,} of {federation.rounds:,} rounds "
        f"({federation.strategy.kind}, partition {federation.partition.kind}, growth {config.growth.kind})."
    ]
    down, up = history.newest("bytes/down"), history.newest("bytes/up")
    if down is not None and up is not None:
        sentences.append(f"Its clients received {down / _MB:,.1f} MB and sent {up / _MB:,.1f} MB.")
    if ledger is not None:
        physical = ledger.total(physical=True).serialised_bytes / _MB
        until = "" if ledger.rounds >= history.last else f" up to round {ledger.rounds}"
        sentences.append(f"MPI was handed {physical:,.1f} MB{until}." if physical else "Nothing crossed MPI.")
    seconds, loss = history.newest("seconds/simulated"), history.newest("loss/valid")
    if loss is not None:
        sentences.append(f"The validation loss came to {loss:.3f}.")
    if seconds is not None:
        sentences.append(f"On simulated links this took {seconds:,.0f} simulated seconds.")
    return sentences


def _central(config: FedttsConfig, history: History) -> list[str]:
    sentences = [f"A central training did {history.last:,} of {config.recipe.steps:,} steps."]
    for name, label in (("loss/train", "training"), ("loss/valid", "validation")):
        loss = history.newest(name)
        if loss is not None:
            sentences.append(f"The {label} loss came to {loss:.3f}.")
    return sentences


def _privacy(config: FedttsConfig, rounds: int) -> list[str]:
    privacy, federation = config.federation.privacy, config.federation
    if privacy.dp == "none":
        return []
    asked = (federation.participation.per_round or federation.clients) / federation.clients
    try:
        if privacy.dp == "central":
            reached = epsilon(rounds, asked, privacy.noise, privacy.delta)
        else:
            reached = local_epsilon(rounds, privacy.noise, privacy.delta)
    except MissingExtraError as error:
        return [f"Epsilon is not stated here: {error}."]
    return [f"Differential privacy ({privacy.dp} noise): epsilon {reached:.3g} at delta {privacy.delta:g}, of clients."]


def _speech(config: FedttsConfig, speech: Mapping[str, Mapping[str, Any]]) -> list[str]:
    trained, untrained = speech.get(TRAINED, {}), speech.get(UNTRAINED, {})
    if not trained:
        return ["Nothing was spoken."]
    count = trained["utterances"]
    if config.corpus.held_out:
        sentences = [f"{count} held-out utterances, which it was not trained on, were spoken free-running."]
    else:
        sentences = [f"{count} utterances OF THE TRAINING SET were spoken free-running, since none was held out."]
    sentences.append(
        "Mel-cepstral distortion of their log mels from the recordings', per recorded frame: "
        f"{trained['mcd_mel_db_per_frame']:.1f} dB ({untrained['mcd_mel_db_per_frame']:.1f} dB before training)."
    )
    sentences.append(
        f"They last {trained['duration_ratio']:.2f} times as long as the recordings, and "
        f"{round(trained['stopped'] * count)} of {count} ended by themselves."
    )
    return sentences


def caution(config: FedttsConfig, history: History, training: Mapping[str, Any], lists: Mapping[str, Any]) -> Text:
    """Return what must be known before any figure is trusted.

    Args:
        config: Of the run.
        history: Of its training.
        training: The result of the training; empty before its end.
        lists: What the ``lists`` stage wrote; empty before its end.
    """
    size = f"a network of {training['parameters']:,} parameters" if "parameters" in training else "one network"
    corpus = ""
    if lists:
        heard = [line for line in lists["utterances"] if not line["valid"]]
        speakers = len({line["speaker"] for line in heard})
        corpus = f" on {len(heard):,} utterances of {'one speaker' if speakers == 1 else f'{speakers} speakers'}"
    body = f"These figures are of {size}, trained{corpus} with one seed; another seed may do better or worse."
    if 0 < history.seconds < _SHORT_S:
        body += f" It was trained for {history.seconds / 60:.1f} minutes: too little for natural speech."
    body += (
        " Sound is made by Griffin-Lim, which must guess phases: the vocoded recording is the best that "
        "any network could sound like here. Nobody has listened: distortions compare with others of the same "
        "utterances and settings alone, and do not tell whether speech can be understood. A voice that stops at once "
        "is compared in few frames: read a distortion beside the length."
    )
    if config.mode == "federated":
        body += (
            "\n\nSimulated seconds follow from bytes and from assumed links and speeds; nobody has waited for them. "
            "Measured times are of processes that may share a host, and its cores, with each other."
        )
        if not config.federation.train:
            body += " Clients sent noise instead of training: of this run, bytes and times alone mean anything."
    return Text("Before trusting a figure", body, role="caution")


def what_is_whose() -> Text:
    """Return the abstract's claims and this program's choices, apart."""
    return Text(
        "What the paper says, and what was chosen here",
        "The abstract of arXiv:2107.08795 says: a plain federated Transformer-TTS converges slowly and unstably and "
        "costs much communication; with a dynamic transformer it is much better, and approaches the centrally trained "
        "one as clients become more; it converges faster and more stably, and communicates for significantly less "
        "time. The data are LJSpeech.\n\n"
        "Chosen here, since nothing more of it could be read: what dynamic means (depth that grows at stage "
        "boundaries, after ProgFed and progressive stacking; beside it a random depth each round, after LayerDrop), "
        "the network's sizes, the losses with guided attention, how recordings are dealt out to clients, the server's "
        "strategies, codecs, the simulated links, and what is measured of speech. Every byte is counted in a ledger of "
        "this program's own. No figure on this page is the paper's, or is to be compared with one of its.",
    )
