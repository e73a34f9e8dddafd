"""A rank's line to the server; what becomes of third ranks is the server's to decide."""

from __future__ import annotations

from chorale.ranks.channel import Buffer, Channel, LostRankError, Parts

SERVER = 0
"""The server's rank."""
TAG = 1
"""Of all messages of a federation."""
ROUND, ANSWER = "round", "answer"
"""Kinds of the messages that begin a round, and that come back."""
VERDICT, SAVE, SAVED = "verdict", "save", "saved"
"""Kinds of the messages after a round: what becomes of it; where to save to; what was saved."""


class ServerLine:
    """Buffers to and from the server.

    Args:
        channel: Of this rank.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def send(self, buffer: Parts) -> None:
        """Send a buffer.

        Raises:
            LostRankError: The server is lost.
        """
        try:
            self._channel.send(SERVER, TAG, buffer)
        except LostRankError as error:
            # The message is under way all the same.
            if SERVER in error.ranks:
                raise

    def receive(self) -> Buffer:
        """Return the server's next buffer.

        Raises:
            LostRankError: The server is lost.
        """
        while True:
            try:
                return self._channel.receive(SERVER, TAG)
            except LostRankError as error:
                if SERVER in error.ranks:
                    raise

    def beat(self) -> None:
        """Tell the server that this rank is alive."""
        self._channel.beat(SERVER)
