"""One rank of a federation that does not train: ``python -m chorale.experiments.fedtts.bench.rank WORK RESULT``.

Clients answer with values that they have ready, so that a round costs what the machinery costs. Loads no torch.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from chorale.core import logs
from chorale.core.errors import ChoraleError
from chorale.core.files import write_json
from chorale.experiments.fedtts.bench.messages import messages_of
from chorale.experiments.fedtts.bench.work import Work, read_work
from chorale.experiments.fedtts.federation.ledger import Ledger
from chorale.experiments.fedtts.federation.rounds import Federation, run_rounds
from chorale.experiments.fedtts.federation.trainer import ClientResult, ClientWork, Schedule, Tensors
from chorale.experiments.fedtts.network.naming import Depth
from chorale.ranks.bandwidth import exchange_seconds
from chorale.ranks.group import Group, open_group
from chorale.runs.context import Context
from chorale.runs.contract import Stage
from chorale.runs.directory import Run
from chorale.runs.events import EventWriter, event_file, read_events
from chorale.runs.placement import Where
from chorale.training.config import CheckpointConfig

_STAGE = Stage(name="rounds", function="none:none")
_FRAMES = 10_000
_PARTS = ("compute", "codec", "mpi", "waiting")


class ReadyTrainer:
    """Answers at once.

    Args:
        work: Model and clients.
    """

    def __init__(self, work: Work) -> None:
        self._clients = work.clients
        self._delta = {name: np.full(shape, 1e-3, np.float32) for name, shape in work.shapes.items()}

    def sizes(self) -> list[int]:
        """Return each client's mel frames, as if it had some."""
        return [_FRAMES] * self._clients

    def train(self, work: ClientWork) -> ClientResult:
        """Return the values that are ready."""
        return ClientResult(self._delta, _FRAMES, {}, 1, 0.0)

    def evaluate(self, tensors: Tensors, depth: Depth) -> dict[str, float]:
        """Return nothing."""
        return {}


def federation_of(work: Work) -> Federation:
    """Return the federation: the whole model from the start, saved only in the end."""
    names, whole = frozenset(work.shapes), _whole_depth(work)
    schedule = Schedule(
        depth_at=lambda round_: whole,
        grow=lambda tensors, before, after: tensors,
        trainable_at=lambda round_, depth: names,
        rate_at=lambda round_: 1.0,
        cost_at=lambda depth: 1.0,
    )
    initial = {name: np.zeros(shape, np.float32) for name, shape in work.shapes.items()}
    checkpoint = CheckpointConfig(every_steps=None, every_s=None)
    return Federation(work.federation(), checkpoint, 0, ReadyTrainer(work), schedule, work.shapes, initial)


def carry_out(work: Work, group: Group, directory: Path) -> dict[str, object] | None:
    """Do the rounds and, afterwards, exchange as many bytes by MPI alone; called on ALL ranks.

    Args:
        work: What is done.
        group: The ranks.
        directory: For events and the last checkpoint; every rank sees it.

    Returns:
        On rank 0, seconds of each round that counts, whole and by part, the exchanges' seconds, and bytes.
    """
    events = EventWriter(event_file(directory / "events", _STAGE.name, 0, 1, group.rank))
    context = Context(Run(directory), _STAGE, 0, 1, events, Where(), group)
    ended = run_rounds(federation_of(work), context)
    events.close()
    messages = messages_of(work)
    exchanged = exchange_seconds(messages.down, messages.up, work.passes) if work.passes else []
    if ended is None:
        return None
    return {**_times(directory), "exchange_s": exchanged, "message_bytes": messages.total, **_bytes(ended.ledger)}


def _times(directory: Path) -> dict[str, list[float]]:
    """Return the seconds of every round but the first: from the log's line of one to that of the next."""
    by_name: dict[str, list[float]] = {}
    logged: list[float] = []
    for event in read_events(directory / "events", _STAGE.name, 0):
        by_name.setdefault(event.name, []).append(event.value)
        if event.name == "seconds/simulated":
            logged.append(event.time_s)
    parts = {f"{part}_s": by_name[f"time/{part}"][1:] for part in _PARTS}
    # The only work between two lines; codecs are what computing there is without training.
    parts["compute_s"] = [sum(both) for both in zip(parts["compute_s"], parts["codec_s"], strict=True)]
    return {"round_s": [later - earlier for earlier, later in pairwise(logged)], **parts}


def _bytes(ledger: Ledger) -> dict[str, dict[str, int]]:
    found = ledger.totals("rank", "direction", physical=True)
    return {
        f"{wanted}_bytes": {
            str(rank): totals.serialised_bytes for (rank, direction), totals in found.items() if direction == wanted
        }
        for wanted in ("down", "up")
    }


def _whole_depth(work: Work) -> Depth:
    def ids(stack: str) -> tuple[int, ...]:
        prefix = f"{stack}.layers."
        found = {int(name.removeprefix(prefix).partition(".")[0]) for name in work.shapes if name.startswith(prefix)}
        return tuple(sorted(found))

    return Depth(ids("encoder"), ids("decoder"))


def main(words: Sequence[str]) -> int:
    """Be one rank, and return the exit status."""
    logs.configure()
    work, result = read_work(Path(words[0])), Path(words[1])
    try:
        group = open_group("mpi")
        with tempfile.TemporaryDirectory(prefix="rounds-", dir=result.parent) as own:
            # Rank 0's folder, for all: the checkpoint is written together.
            told = carry_out(work, group, Path(group.broadcast(own)))
            group.barrier()
        if told is not None:
            write_json(result, {**told, "ended_s": time.time()})
        group.close()
    except ChoraleError as error:
        print(f"chorale: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
