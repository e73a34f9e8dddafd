"""Saving a federation and taking it up again; without collectives where a rank may be lost and the rest go on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from chorale.core.logs import get_logger
from chorale.experiments.fedtts.federation.host import ClientHost
from chorale.experiments.fedtts.federation.message import pack, unpack
from chorale.experiments.fedtts.federation.peers import Peers
from chorale.experiments.fedtts.federation.server_line import SAVE, SAVED, SERVER, ServerLine
from chorale.experiments.fedtts.federation.state import (
    ServerState,
    restore_clients,
    restore_server,
    save_clients,
    save_server,
)
from chorale.ranks.group import SingleProcess
from chorale.runs.checkpoints import Checkpoints, Keep
from chorale.runs.context import Context
from chorale.training.config import CheckpointConfig

CHECKPOINT = "checkpoint"
"""Kind of physical rows: messages about a save without collectives."""
_log = get_logger(__name__)


class RoundSaver:
    """Saves and takes up one federation, on one rank.

    Args:
        config: When, and what is kept.
        context: Of the stage.
        host: The rank's clients.
        clients: Number of clients.
    """

    def __init__(self, config: CheckpointConfig, context: Context, host: ClientHost, clients: int) -> None:
        self._config, self._context, self._host, self._clients = config, context, host, clients
        self._keep = Keep(config.keep_last, config.keep_best, config.highest_is_best)
        self._together = Checkpoints(
            context.checkpoints, context.ranks, context.attempt, self._keep, still_ours=context.still_ours
        )
        self._saved_at = time.monotonic()

    def resume(self, state: ServerState) -> bool:
        """Bring ``state`` and the rank's clients to the newest complete checkpoint, on ALL ranks; False if none is."""
        found = self._together.newest()
        if found is None:
            return False
        group = self._context.ranks
        restore_server(state, found.directory)
        self._host.states = restore_clients(found.directory, range(group.rank, self._clients, group.size))
        if group.rank == SERVER:
            _log.info("going on from round %d (%s)", state.round, found.directory)
        return True

    def due(self, rounds: int) -> bool:
        """Say whether rounds or seconds since the last checkpoint are enough; the server's clock counts."""
        by_rounds = self._config.every_steps is not None and rounds % self._config.every_steps == 0
        by_time = self._config.every_s is not None and time.monotonic() - self._saved_at >= self._config.every_s
        return by_rounds or by_time

    def save(self, rounds: int, state: ServerState | None, metrics: Mapping[str, float]) -> None:
        """Save on ALL ranks, and commit on the server's.

        Args:
            rounds: Done.
            state: The server's; None on other ranks.
            metrics: Named values, for keeping the best.

        Raises:
            WorkError: It could not be written; the checkpoint before it is untouched.
            SupersededError: Another attempt holds the item now.
        """

        def write(directory: Path) -> list[Path]:
            own = save_server(state, directory) if state is not None else []
            return own + save_clients(self._host.states, directory)

        self._together.save(rounds, write, metrics)
        self._saved_at = time.monotonic()

    def save_apart(self, state: ServerState, metrics: Mapping[str, float], peers: Peers) -> None:
        """Save at the server, which asks those ranks that are left to write their clients' files.

        Raises:
            WorkError: It could not be written; the checkpoint before it is untouched.
            SupersededError: Another attempt holds the item now.
        """
        context = self._context

        def write(directory: Path) -> list[Path]:
            request = pack(SAVE, {"directory": str(directory)}, {})
            peers.send(dict.fromkeys(peers.alive, request), CHECKPOINT)
            paths = save_server(state, directory) + save_clients(self._host.states, directory)
            waiting = set(peers.alive)
            while (found := peers.receive(waiting, CHECKPOINT)) is not None:
                rank, buffer = found
                waiting.discard(rank)
                paths += [directory / Path(str(name)).name for name in unpack(buffer, SAVED, {}).facts["names"]]
            return paths

        alone = Checkpoints(
            context.checkpoints, SingleProcess(), context.attempt, self._keep, still_ours=context.still_ours
        )
        alone.save(state.round, write, metrics)
        self._saved_at = time.monotonic()

    def write_apart(self, server: ServerLine) -> None:
        """Write this rank's files where the server says: the other side of ``save_apart``."""
        directory = Path(str(unpack(server.receive(), SAVE, {}).facts["directory"]))
        paths = save_clients(self._host.states, directory)
        server.send(pack(SAVED, {"names": [path.name for path in paths]}, {}))
