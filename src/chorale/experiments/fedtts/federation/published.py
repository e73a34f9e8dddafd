"""What the server has published, in which version, and who holds which: so that only what has changed is sent.

The server keeps its tensors in full precision; participants train from what they can decode. A tensor's version is the
number of rounds done when it last changed. With ``top-k``, which would leave nine tenths of a network zero, what is
encoded is the difference to the values published before, so that what was left out goes with a later difference (error
feedback at the server, after DoubleSqueeze, Tang et al. 2019); whoever does not hold the version before gets the
published values in full.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from chorale.core.errors import InputError
from chorale.experiments.fedtts.config.federation import CodecConfig
from chorale.experiments.fedtts.federation.codecs import ZSTD, EncodedTensor, decode, encode

Array = NDArray[np.float32]
Versions = NDArray[np.int64]
DIFFERENCE = "top-k"
"""Encoded tensors of this kind are differences to the version before."""
_NONE = -1


class Published:
    """The published tensors and everyone's copies.

    Args:
        names: Every tensor that can ever exist.
        codec: Of the downlink.
        clients: Number of clients.
        ranks: Number of ranks.
        cache: Whether participants keep what they have downloaded.

    Attributes:
        values: What participants decode, by name.
        previous: With ``top-k``: the values published before.

    Raises:
        InputError: The codec needs the cache.
    """

    def __init__(self, names: Sequence[str], codec: CodecConfig, clients: int, ranks: int, cache: bool) -> None:
        if codec.kind == DIFFERENCE and not cache:
            raise InputError(
                "federation.down.kind top-k sends differences, which need federation.client_cache",
                "set client_cache to true, or down.kind to another codec",
            )
        self._codec = codec
        self._in_full = codec.model_copy(update={"kind": "none"}) if codec.kind == DIFFERENCE else codec
        self._cache = cache
        self._column = {name: column for column, name in enumerate(names)}
        self.values: dict[str, Array] = {}
        self.previous: dict[str, Array] = {}
        self._whole: dict[str, EncodedTensor] = {}
        self._differences: dict[str, EncodedTensor] = {}
        # Rows: now, before; every client; every rank.
        self._now, self._before = (np.full(len(names), _NONE, np.int64) for _ in range(2))
        self._clients = np.full((clients, len(names)), _NONE, np.int64)
        self._ranks = np.full((ranks, len(names)), _NONE, np.int64)

    def publish(self, tensors: Mapping[str, Array], version: int) -> None:
        """Publish new values.

        Args:
            tensors: Those that have changed, or are new.
            version: Rounds done.
        """
        known = [name for name in tensors if self._codec.kind == DIFFERENCE and name in self.values]
        differences = encode({name: tensors[name] - self.values[name] for name in known}, self._codec)
        steps = decode(differences)
        others = {name: value for name, value in tensors.items() if name not in differences}
        whole = encode(others, self._in_full)
        for name in tensors:
            column = self._column[name]
            self._before[column], self._now[column] = self._now[column], version
        for name in known:
            self.previous[name] = self.values[name]
            self.values[name] = self.values[name] + steps[name]
            self._differences[name] = differences[name]
            self._whole.pop(name, None)
        self.values |= decode(whole)
        self._whole |= whole

    def for_client(self, client: int, names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Note that a client downloads a round's network, and return what must be sent: in full, and as differences.

        Args:
            client: Who.
            names: Every tensor of the round's network.
        """
        return self._needed(self._clients[client], names)

    def for_rank(self, rank: int, names: Sequence[str]) -> dict[str, EncodedTensor]:
        """Note that a rank is sent a round's network, and return what it does not hold yet."""
        whole, differences = self._needed(self._ranks[rank], names)
        return self.encoded(whole, differences)

    def encoded(self, whole: Iterable[str], differences: Iterable[str]) -> dict[str, EncodedTensor]:
        """Return encoded tensors, in the order of the names that can exist."""
        found = {name: self._in_whole(name) for name in whole}
        found |= {name: self._differences[name] for name in differences}
        return {name: found[name] for name in sorted(found, key=self._column.__getitem__)}

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return what must be saved, by name, beside the server's tensors."""
        books: dict[str, NDArray[np.generic]] = {
            "now": self._now,
            "before": self._before,
            "clients": self._clients,
            "ranks": self._ranks,
        }
        keeps = self._codec.kind == DIFFERENCE
        values = {f"value/{name}": value for name, value in self.values.items() if keeps}
        previous = {f"previous/{name}": value for name, value in self.previous.items()}
        return books | values | previous

    def restore(self, state: Mapping[str, NDArray[np.generic]], tensors: Mapping[str, Array]) -> None:
        """Take up what ``state`` returned; where another number of ranks goes on, they hold nothing.

        Args:
            state: By name.
            tensors: The server's, as they were then.
        """
        self._now, self._before = (state[name].astype(np.int64) for name in ("now", "before"))
        self._clients = state["clients"].astype(np.int64)
        if state["ranks"].shape == self._ranks.shape:
            self._ranks = state["ranks"].astype(np.int64)
        if self._codec.kind == DIFFERENCE:
            self.values = _part(state, "value/")
            self.previous = _part(state, "previous/")
            # As they were computed, so that they are the same bits.
            pairs = {name: tensors[name] - value for name, value in self.previous.items()}
            self._differences = encode(pairs, self._codec)
        else:
            self._whole = encode(tensors, self._codec)
            self.values = decode(self._whole)

    def copy_of(self, rank: int) -> dict[str, Array]:
        """Return the tensors that a rank holds and that are still of use, as it decoded them."""
        held = self._ranks[rank]
        copy = {}
        for name, column in self._column.items():
            if held[column] == _NONE:
                continue
            if held[column] == self._now[column]:
                copy[name] = self.values[name]
            elif held[column] == self._before[column] and name in self.previous:
                copy[name] = self.previous[name]
        return copy

    def _needed(self, held: Versions, names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        columns = np.fromiter((self._column[name] for name in names), np.int64, len(names))
        if not self._cache:
            return tuple(names), ()
        lacking = held[columns] != self._now[columns]
        one_behind = lacking & (held[columns] == self._before[columns]) & (held[columns] != _NONE)
        whole: list[str] = []
        differences: list[str] = []
        for position in np.flatnonzero(lacking).tolist():
            name = names[position]
            as_difference = bool(one_behind[position]) and name in self._differences
            (differences if as_difference else whole).append(name)
        held[columns] = self._now[columns]
        return tuple(whole), tuple(differences)

    def _in_whole(self, name: str) -> EncodedTensor:
        if name not in self._whole:
            self._whole |= encode({name: self.values[name]}, self._in_full)
        return self._whole[name]


def absorb(copy: dict[str, Array], encoded: Mapping[str, EncodedTensor]) -> None:
    """Bring a participant's copy up to date with what it was sent."""
    for name, value in decode(encoded).items():
        is_difference = encoded[name].kind.removesuffix(ZSTD) == DIFFERENCE
        copy[name] = copy[name] + value if is_difference else value


def _part(state: Mapping[str, NDArray[np.generic]], prefix: str) -> dict[str, Array]:
    return {
        name.removeprefix(prefix): value.astype(np.float32, copy=False)
        for name, value in state.items()
        if name.startswith(prefix)
    }
