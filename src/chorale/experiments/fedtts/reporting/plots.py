"""Plots of the report: bytes, losses, times and depth of a federation; losses of a central training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chorale.experiments.fedtts.config import FedttsConfig
from chorale.experiments.fedtts.federation.ledger import Ledger
from chorale.experiments.fedtts.reporting.history import History, Points
from chorale.runs.parts import Plot, Series

MOST_KINDS = 6
"""Shares of a stack that can be told apart by colour."""
KIND_LABELS = {
    "model": "model",
    "update": "update",
    "control": "control variates",
    "masks": "masks",
    "keys": "keys",
    "shares": "shares",
    "late": "too late",
    "dropped": "then dropped out",
    "header": "headers",
}
"""Of the ledger's kinds, in the order in which they are stacked."""
_TIMES = {"time/compute": "compute", "time/codec": "codec", "time/mpi": "MPI", "time/waiting": "waiting"}
_CLIENTS = {"clients/answered": "answered", "clients/late": "late", "clients/dropped": "dropped out"}
_LOSSES = {"loss/train": "training", "loss/valid": "validation"}
_GUIDES = {"guide/train": "training", "guide/valid": "validation"}


def label_of(kind: str) -> str:
    """Return what the page calls a kind of the ledger."""
    return KIND_LABELS.get(kind, kind)


def bytes_plot(ledger: Ledger) -> Plot:
    """Return what clients received and sent in each round, stacked by kind."""
    rounds = [float(number) for number in range(1, ledger.rounds + 1)]
    kinds = _fewer({kind: row for kind, row in ledger.bytes_per_round("kind").items() if row.any()})
    return Plot(
        "Bytes per round",
        "round",
        "bytes of all clients, both directions",
        [Series(label, rounds, row.tolist(), "stacked") for label, row in kinds.items()],
        "Messages as clients of a real federation would receive (model) and send them (update): headers and what fills "
        "messages up included.",
    )


def _fewer(rows: Mapping[str, NDArray[np.int64]]) -> dict[str, NDArray[np.int64]]:
    """Return rows under their labels, in their order; if there are too many, the smallest ones as one."""
    by_size = sorted(rows, key=lambda kind: -int(rows[kind].sum()))
    alone = set(by_size if len(by_size) <= MOST_KINDS else by_size[: MOST_KINDS - 1])
    kinds = [*(kind for kind in KIND_LABELS if kind in rows), *(kind for kind in rows if kind not in KIND_LABELS)]
    table = {label_of(kind): rows[kind] for kind in kinds if kind in alone}
    rest = [kind for kind in kinds if kind not in alone]
    if rest:
        table[", ".join(map(label_of, rest))] = np.sum([rows[kind] for kind in rest], axis=0)
    return table


def loss_by_bytes_plot(history: History, config: FedttsConfig) -> Plot:
    """Return losses against the bytes that clients have received and sent."""
    points = {name: history.against(name, "bytes/down", "bytes/up") for name in _LOSSES}
    note = f"Training: the mean over the steps of the round's clients. {_validation(config)}"
    return Plot("Loss against bytes", "bytes of all clients so far, both directions", "loss", _series(points), note)


def loss_by_seconds_plot(history: History, config: FedttsConfig) -> Plot:
    """Return losses against simulated seconds."""
    link = config.federation.link
    points = {name: history.against(name, "seconds/simulated") for name in _LOSSES}
    note = (
        f"Simulated, not measured: links of the profile {link.profile!r}, and {link.frames_per_s:g} mel frames a "
        "second that the median client trains on at full depth. A round lasts as long as its slowest client."
    )
    return Plot("Loss against simulated seconds", "simulated seconds", "loss", _series(points), note)


def time_plot(history: History) -> Plot:
    """Return the measured times of each round, stacked."""
    series = _stacked(history, _TIMES)
    return Plot(
        "Time per round",
        "round",
        "seconds, measured",
        series,
        "Compute: of the rank that trained longest. Codec: encoding, decoding and adding up, of the server and the "
        "slowest rank. MPI: transfers of the server's rank. Waiting: its idle time, which may pass while other ranks "
        "compute, so that a stack can be higher than the round was long. Validation and checkpoints are left out.",
    )


def depth_plot(history: History) -> Plot:
    """Return how many layers each round's network has."""
    points = {name: history.by_step(f"depth/{name}") for name in ("encoder", "decoder")}
    if points["encoder"] == points["decoder"]:
        points = {"encoder and decoder": points["encoder"]}
    series = [Series(name, x, y, _style(x, "steps")) for name, (x, y) in points.items() if x]
    return Plot("Depth", "round", "layers", series)


def clients_plot(history: History) -> Plot | None:
    """Return who answered in each round, stacked; None if all that were asked always have."""
    if history.total("clients/late") + history.total("clients/dropped") == 0:
        return None
    note = (
        "Asked clients. Those that dropped out have downloaded all the same; late answers were sent and did not count."
    )
    return Plot("Clients", "round", "clients", _stacked(history, _CLIENTS), note)


def loss_plot(history: History, config: FedttsConfig) -> Plot:
    """Return the losses of a central training."""
    points = {name: history.by_step(name) for name in _LOSSES}
    note = _validation(config)
    if len(config.recipe.reduction) > 1:
        note += " Losses before and after a change of the reduction factor are not of the same task."
    return Plot("Loss", "step", "loss", _series(points), note)


def guide_plot(history: History) -> Plot:
    """Return the guided attention loss of a central training, before its weight."""
    points = {name: history.by_step(name) for name in _GUIDES}
    return Plot(
        "Guided attention", "step", "attention outside the band", _series(points, _GUIDES), "Without its weight."
    )


def _validation(config: FedttsConfig) -> str:
    if config.corpus.held_out:
        return "Validation: of utterances held out, teacher-forced."
    return "Validation: teacher-forced, and of the training's own utterances, since none is held out."


def _series(points: Mapping[str, Points], labels: Mapping[str, str] = _LOSSES) -> list[Series]:
    return [Series(labels[name], x, y, _style(x, "line")) for name, (x, y) in points.items() if x]


def _style(x: Sequence[float], style: Any) -> Any:
    """Return the style for so many points: a line through one point is not to be seen."""
    return style if len(x) > 1 else "points"


def _stacked(history: History, labels: Mapping[str, str]) -> list[Series]:
    steps = sorted(set.union(*(set(history.of(name)) for name in labels)))
    rounds = [float(step) for step in steps]
    found = {label: [history.of(name).get(step, 0.0) for step in steps] for name, label in labels.items()}
    return [Series(label, rounds, values, "stacked") for label, values in found.items() if any(values)]
