"""Which buffers a round hands to MPI, known before the round: the uplink's rule, applied to shapes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from chorale.experiments.fedtts.bench.programs import rank_program
from chorale.experiments.fedtts.bench.work import Shapes, Work, model_shapes, values_of
from chorale.experiments.fedtts.config.federation import CodecConfig
from chorale.experiments.fedtts.federation.codecs import EncodedTensor, encode, encode_integers
from chorale.experiments.fedtts.federation.links import predict_mpi_round
from chorale.experiments.fedtts.federation.message import bytes_by_group
from chorale.runs.contract import Traffic

_VALUE_BYTES, _SUM_BYTES = 4, 8


class Messages(NamedTuple):
    """Lengths of a round's large buffers; orders, reports and verdicts, some hundred bytes each, are left out.

    Attributes:
        down: By receiving rank.
        up: By sending rank, in the order in which they are sent.
    """

    down: dict[int, int]
    up: dict[int, list[int]]

    @property
    def total(self) -> int:
        """Bytes of all of them."""
        return sum(self.down.values()) + sum(map(sum, self.up.values()))


def messages_of(work: Work) -> Messages:
    """Return a round's buffers.

    Every rank but the server's gets the whole model, and sends its clients' updates one by one, or their sum in 64-bit
    integers if it may add up and the updates together are as long as that sum.
    """
    values = values_of(work.shapes)
    dense = _length(work.shapes, np.float32, partial(encode, codec=CodecConfig()))
    summed = _length(work.shapes, np.int64, encode_integers)
    down: dict[int, int] = {}
    up: dict[int, list[int]] = {}
    for rank in range(1, work.ranks):
        clients = len(range(rank, work.clients, work.ranks))
        adds_up = work.aggregate_in_rank and clients * values * _VALUE_BYTES >= values * _SUM_BYTES
        down[rank] = dense
        up[rank] = [summed] if adds_up else [dense] * clients
    return Messages(down, up)


def traffic(directory: Path, ranks: int, rounds: int, share: float, clients: int) -> Traffic:
    """Return rounds between hosts, one rank on each; see ``Bench``."""
    work = Work(model_shapes(share), clients, ranks, rounds)
    path, result = directory / "work.json", directory / "result.json"
    work.write(path)
    found = messages_of(work)
    up = {rank: sum(several) for rank, several in found.up.items()}
    return Traffic(
        rank_program(path, result),
        result,
        found.down,
        up,
        lambda mbit, compute_s: predict_mpi_round(found.down, up, mbit, compute_s),
    )


def _length(shapes: Shapes, kind: Any, encoded: Callable[[dict[str, Any]], dict[str, EncodedTensor]]) -> int:
    zeros = {name: np.zeros(shape, kind) for name, shape in shapes.items()}
    return sum(bytes_by_group({}, encoded(zeros)).values())
