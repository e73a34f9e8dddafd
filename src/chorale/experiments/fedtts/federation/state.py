"""What a federation keeps between rounds, in files: the server's own, and one for each client that keeps something.

Any number of ranks can take it up: a rank reads the files of the clients that live on it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chorale.core import files
from chorale.core.errors import WorkError
from chorale.experiments.fedtts.federation import ledger_files
from chorale.experiments.fedtts.federation.accounting import Entries, length
from chorale.experiments.fedtts.federation.host import ClientState
from chorale.experiments.fedtts.federation.ledger import DIRECTIONS, Direction, Ledger
from chorale.experiments.fedtts.federation.published import Published
from chorale.experiments.fedtts.federation.strategies import Strategy

Array = NDArray[np.float32]
SERVER_FILE = "server.npz"
FACTS_FILE = "server.json"
_TENSOR, _STRATEGY, _PUBLISHED = "tensor/", "strategy/", "published/"
_RESIDUAL, _CONTROL = "residual/", "control/"


@dataclass
class ServerState:
    """What the server knows after a number of rounds.

    Attributes:
        tensors: The global tensors; control variates under names of their own.
        strategy: With its moments.
        published: What has been published, and who holds it.
        ledger: What has crossed.
        round: Rounds done.
        simulated_s: Simulated seconds that they took.
        bytes: What clients have downloaded and uploaded in them, headers included.
    """

    tensors: dict[str, Array]
    strategy: Strategy
    published: Published
    ledger: Ledger = field(default_factory=Ledger)
    round: int = 0
    simulated_s: float = 0.0
    bytes: dict[Direction, int] = field(default_factory=lambda: dict.fromkeys(DIRECTIONS, 0))

    def record(self, clients: Sequence[int], direction: Direction, entries: Entries) -> None:
        """Put a message that each of ``clients`` has received or sent in this round into the ledger."""
        self.ledger.add(self.round, clients, direction, entries)
        self.bytes[direction] += len(clients) * length(entries)


def save_server(state: ServerState, directory: Path) -> list[Path]:
    """Write the server's files and return them."""
    arrays: dict[str, NDArray[Any]] = {f"{_TENSOR}{name}": value for name, value in state.tensors.items()}
    arrays |= {f"{_STRATEGY}{name}": value for name, value in state.strategy.state().items()}
    arrays |= {f"{_PUBLISHED}{name}": value for name, value in state.published.state().items()}
    facts = {"round": state.round, "simulated_s": state.simulated_s, "bytes": state.bytes}
    files.write_json(directory / FACTS_FILE, facts)
    ledger_files.save(state.ledger, directory / ledger_files.FILE_NAME)
    return [
        _write(directory / SERVER_FILE, arrays),
        directory / FACTS_FILE,
        directory / ledger_files.FILE_NAME,
    ]


def restore_server(state: ServerState, directory: Path) -> None:
    """Bring a fresh state to where the server's files stand.

    Args:
        state: As it is before the first round.
        directory: Of a checkpoint.

    Raises:
        WorkError: A file is damaged.
    """
    arrays = _read(directory / SERVER_FILE)
    facts = files.read_json(directory / FACTS_FILE)
    state.tensors = _part(arrays, _TENSOR)
    state.strategy.restore(_part(arrays, _STRATEGY))
    state.published.restore(_part(arrays, _PUBLISHED), state.tensors)
    state.ledger = ledger_files.load(directory / ledger_files.FILE_NAME)
    state.round, state.simulated_s = int(facts["round"]), float(facts["simulated_s"])
    state.bytes = {direction: int(facts["bytes"][direction]) for direction in DIRECTIONS}


def save_clients(states: Mapping[int, ClientState], directory: Path) -> list[Path]:
    """Write a file for each client, and return them."""
    paths = []
    for client, state in sorted(states.items()):
        arrays = {f"{_RESIDUAL}{name}": value for name, value in state.residuals.items()}
        arrays |= {f"{_CONTROL}{name}": value for name, value in state.controls.items()}
        paths.append(_write(_client_file(directory, client), arrays))
    return paths


def restore_clients(directory: Path, clients: Iterable[int]) -> dict[int, ClientState]:
    """Return the states of those of ``clients`` that have kept something.

    Raises:
        WorkError: A file is damaged.
    """
    states = {}
    for client in clients:
        path = _client_file(directory, client)
        if path.exists():
            arrays = _read(path)
            states[client] = ClientState(_part(arrays, _RESIDUAL), _part(arrays, _CONTROL))
    return states


def _client_file(directory: Path, client: int) -> Path:
    return directory / f"client-{client:06d}.npz"


def _write(path: Path, arrays: Mapping[str, NDArray[Any]]) -> Path:
    # Not np.savez: an array called "file" could not be given to it.
    with zipfile.ZipFile(path, "w", allowZip64=True) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)
    return path


def _read(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise WorkError(
            f"{path}: damaged ({error})", "delete this checkpoint; the one before it is used then"
        ) from error


def _part(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
