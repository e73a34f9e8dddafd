"""The other side: what a rank does, round after round, until the server says that it is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from chorale.core.errors import WorkError
from chorale.experiments.fedtts.config.federation import FederationConfig
from chorale.experiments.fedtts.federation.gathering import answer_shapes
from chorale.experiments.fedtts.federation.host import ClientHost
from chorale.experiments.fedtts.federation.message import pack, unpack
from chorale.experiments.fedtts.federation.order import read_rank_order
from chorale.experiments.fedtts.federation.published import absorb
from chorale.experiments.fedtts.federation.server_line import ROUND, VERDICT, ServerLine
from chorale.experiments.fedtts.federation.stopwatch import Stopwatch
from chorale.experiments.fedtts.federation.uplink import Uplink
from chorale.ranks.channel import Buffer


class Verdict(NamedTuple):
    """What the server says after a round; every message of it is as long as any other.

    Attributes:
        save: Whether the round is to be saved by all ranks together.
        save_apart: Whether it is to be saved without collectives, since a rank was lost.
        stop: 0, or why the run stops here in order to go on later.
        end: Whether this was the last round.
    """

    save: bool
    save_apart: bool
    stop: int
    end: bool

    def pack(self) -> Buffer:
        """Return it as a message."""
        facts: dict[str, JsonValue] = {name: int(value) for name, value in self._asdict().items()}
        return pack(VERDICT, facts, {})


def read_verdict(buffer: Buffer) -> Verdict:
    """Return what ``Verdict.pack`` packed.

    Raises:
        WorkError: It is damaged.
    """
    facts = unpack(buffer, VERDICT, {}).facts
    try:
        return Verdict(bool(facts["save"]), bool(facts["save_apart"]), int(facts["stop"]), bool(facts["end"]))
    except (KeyError, TypeError, ValueError) as error:
        raise WorkError(f"a verdict is malformed: {error!r}") from error


class RankSide:
    """A rank beside the server's.

    Args:
        config: Of the federation.
        shapes: Of every tensor that can ever exist, control variates included.
        server: The server's rank.
        host: The rank's clients.
        copy: Published tensors that the rank holds.
    """

    def __init__(
        self,
        config: FederationConfig,
        shapes: Mapping[str, tuple[int, ...]],
        server: ServerLine,
        host: ClientHost,
        copy: dict[str, NDArray[np.float32]],
    ) -> None:
        self._config, self._shapes, self._server, self._host, self._copy = config, shapes, server, host, copy

    def round(self, wants_to_stop: Callable[[], int]) -> Verdict:
        """Do a round and return the server's verdict.

        Args:
            wants_to_stop: Asked at the end: 0, or why this rank wants to stop.

        Raises:
            LostRankError: The server is lost.
            WorkError: A message is damaged.
        """
        message = unpack(self._server.receive(), ROUND, self._shapes)
        task, decoding = read_rank_order(message.facts), Stopwatch()
        with decoding:
            absorb(self._copy, message.tensors)
        shapes = answer_shapes(self._config, task, self._shapes)
        sizes = {name: int(np.prod(shape, dtype=np.int64)) for name, shape in shapes.items()}
        uplink = Uplink(self._config, self._server, sizes, task.order.total_weight, self._host.memory)
        if task.clients:
            self._host.begin(task, self._copy)
        for client in task.clients:
            uplink.take(self._host.answer(client))
            self._server.beat()
        compute_s, codec_s = (self._host.compute_s, self._host.codec_s) if task.clients else (0.0, 0.0)
        uplink.finish(compute_s, codec_s + decoding.seconds, wants_to_stop())
        return read_verdict(self._server.receive())
