"""The other ranks, as the server sees them: who is alive, whose clients are whose, and what was handed to MPI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from chorale.core.logs import get_logger
from chorale.experiments.fedtts.federation.ledger import Direction, Ledger
from chorale.experiments.fedtts.federation.server_line import SERVER, TAG
from chorale.ranks.channel import Buffer, Channel, LostRankError, Parts, length_of

BEAT, LOST = "beat", "lost-rank"
"""Kinds of physical rows: signs of life; a note, of no bytes, that a rank was lost."""
_log = get_logger(__name__)


class Peers:
    """The ranks beside the server's.

    Args:
        channel: To them.
        clients: Number of clients; client c lives on rank c modulo the number of ranks.
        lost_rank: Whether a lost rank ends the run, or its clients count as dropped until the attempt ends.

    Attributes:
        alive: Ranks that take part, in order.
    """

    def __init__(self, channel: Channel, clients: int, lost_rank: Literal["stop", "drop"]) -> None:
        self._channel, self._clients, self._lost_rank = channel, clients, lost_rank
        self.alive = [rank for rank in range(channel.size) if rank != SERVER]
        self._rows: list[tuple[int, Direction, str, int]] = []
        self._handed, self._heard = dict(channel.sent_bytes), dict(channel.control_bytes)

    @property
    def any_lost(self) -> bool:
        """Whether a rank was lost in this attempt."""
        return len(self.alive) < self._channel.size - 1

    @property
    def seconds(self) -> float:
        """Time spent in transfers so far."""
        return self._channel.seconds

    @property
    def waiting_s(self) -> float:
        """Time spent waiting for messages so far."""
        return self._channel.waiting_s

    def owner(self, client: int) -> int:
        """Return the rank on which a client lives."""
        return client % self._channel.size

    def is_lost(self, client: int) -> bool:
        """Say whether a client's rank was lost."""
        rank = self.owner(client)
        return rank != SERVER and rank not in self.alive

    def beat(self) -> None:
        """Tell all ranks that the server is alive, so that they go on waiting for it."""
        for rank in list(self.alive):
            try:
                self._channel.beat(rank)
            except LostRankError as error:
                self._lose(error)

    def send(self, buffers: Mapping[int, Parts], kind: str) -> None:
        """Send each rank its message, all at the same time.

        Raises:
            LostRankError: A rank is lost, and that ends the run.
        """
        left = {rank: buffer for rank, buffer in buffers.items() if rank in self.alive}
        while left:
            before = dict(self._channel.sent_bytes)
            try:
                self._channel.send_all(left, TAG)
            except LostRankError as error:
                self._lose(error)
            handed = {rank for rank in left if self._channel.sent_bytes[rank] > before[rank]}
            self._rows += [(rank, "down", kind, length_of(left[rank])) for rank in handed]
            # With one rank out of reach, the message of another may not have been begun.
            left = {rank: buffer for rank, buffer in left.items() if rank in self.alive and rank not in handed}

    def receive(self, waiting: set[int], kind: str) -> tuple[int, Buffer] | None:
        """Return the next message of any of ``waiting``, and its rank; None once all of them are lost.

        Raises:
            LostRankError: A rank is lost, and that ends the run.
        """
        while waiting:
            try:
                rank, buffer = next(self._channel.receive_from(waiting, TAG))
            except LostRankError as error:
                self._lose(error)
                waiting.intersection_update(self.alive)
                continue
            self._rows.append((rank, "up", kind, buffer.nbytes))
            return rank, buffer
        return None

    def account(self, ledger: Ledger, round_: int) -> None:
        """Put what was handed to MPI since the last call into the ledger, in an order that does not depend on time."""
        for rank, handed in self._channel.sent_bytes.items():
            messages = sum(size for peer, direction, _, size in self._rows if (peer, direction) == (rank, "down"))
            self._rows.append((rank, "down", BEAT, handed - self._handed[rank] - messages))
            self._rows.append((rank, "up", BEAT, self._channel.control_bytes[rank] - self._heard[rank]))
        self._handed, self._heard = dict(self._channel.sent_bytes), dict(self._channel.control_bytes)
        for rank, direction, kind, n_bytes in sorted(self._rows):
            if n_bytes or kind == LOST:
                ledger.add_physical(round_, rank, direction, kind, n_bytes)
        self._rows = []

    def _lose(self, error: LostRankError) -> None:
        if self._lost_rank == "stop":
            raise error
        for rank in sorted(set(error.ranks) & set(self.alive)):
            self.alive.remove(rank)
            self._rows.append((rank, "up", LOST, 0))
            clients = len(range(rank, self._clients, self._channel.size))
            _log.warning("%s: its %d clients count as dropped from now on", error.what, clients)
