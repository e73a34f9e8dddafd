"""The server's channel: while it waits for one rank, the others are told that it is alive."""

from __future__ import annotations

import time
from collections.abc import Collection

from chorale.ranks.channel import Channel
from chorale.ranks.group import Group

# So often within the time-out do the others hear of the server.
_BEATS = 4


class ServerChannel(Channel):
    """A channel that gives signs of life while it waits.

    A rank that is done waits for the server, and the server for the slowest rank, or until the time-out for one that is
    lost: without signs of life, all ranks would give the server up together with the one that is lost.

    Args:
        group: The ranks, joined by MPI.
        timeout_s: Seconds of silence after which a rank counts as lost.
    """

    def __init__(self, group: Group, timeout_s: float) -> None:
        super().__init__(group, timeout_s)
        self._told_at = time.monotonic()

    def meanwhile(self, peers: Collection[int], started: float) -> None:
        """Tell the ranks that are not waited for that the server is alive."""
        now = time.monotonic()
        # Not those waited for: they are busy, and may be dead.
        if now - max(self._told_at, started) > self.timeout_s / _BEATS:
            self._told_at = now
            for peer in self.sent_bytes.keys() - self.lost - set(peers):
                self.beat(peer)
