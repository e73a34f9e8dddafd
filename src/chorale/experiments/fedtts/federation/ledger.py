"""The ledger: every byte that crosses, by round, client, direction, tensor group and kind, in three figures.

Logical rows say what a client of a real federation would have received and sent: they do not depend on the number of
ranks. Physical rows say what was handed to MPI between the server's rank and another; clients on the server's own rank
have none. A million messages fit: most are alike, so each is kept as one small row that points to its entries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chorale.core.errors import WorkError
from chorale.experiments.fedtts.federation.codecs import EncodedTensor
from chorale.experiments.fedtts.federation.message import HEADER
from chorale.experiments.fedtts.network.naming import tensor_group

if TYPE_CHECKING:
    from chorale.ranks.channel import Counters

Direction = Literal["down", "up"]
DIRECTIONS: tuple[Direction, ...] = ("down", "up")
"""Towards the client or rank, and towards the server."""
Key = Literal["round", "client", "rank", "direction", "group", "kind"]
NOBODY = -1
"""Client of a physical row, rank of a logical one."""
MESSAGE = "message"
"""The group of physical rows: whole messages."""
FIGURES = ("dense_bytes", "payload_bytes", "serialised_bytes")
"""As plain float32; values, indices, scales, masks; in the message, header and alignment included."""
COLUMNS = ("round", "client", "rank", "direction", "group", "kind", *FIGURES)
"""Of a table of rows, in this order."""
_MESSAGES = np.dtype([("round", "<i4"), ("client", "<i4"), ("rank", "<i4"), ("direction", "<i4"), ("pattern", "<i4")])
_CHUNK = 1 << 16


class Entry(NamedTuple):
    """What a message holds of one tensor group.

    Attributes:
        group: Tensor group, or ``header``.
        kind: ``model``, ``update``, ``control``, ``header``, ``keys``, ``shares``, ``masks``, ``evaluation``,
            ``dropped``, ``late``, ``beat`` and what else there may be.
        dense_bytes: As plain float32, whatever is sent.
        payload_bytes: Encoded: values, indices, scales, masks.
        serialised_bytes: In the message, what fills it up included.
    """

    group: str
    kind: str
    dense_bytes: int
    payload_bytes: int
    serialised_bytes: int


class Totals(NamedTuple):
    """Sums of the three figures."""

    dense_bytes: int = 0
    payload_bytes: int = 0
    serialised_bytes: int = 0


def entries_of(kind: str, tensors: Mapping[str, EncodedTensor], sizes: Mapping[str, int]) -> tuple[Entry, ...]:
    """Return the entries of one message.

    Args:
        kind: Of the message; its header counts as ``header`` if there are tensors, else it is all the message is.
        tensors: What it holds.
        sizes: Of ``message.payload_by_group``.
    """
    dense = dict.fromkeys(sizes, 0)
    payload = dict.fromkeys(sizes, 0)
    for name, tensor in tensors.items():
        group = tensor_group(name)
        dense[group] += tensor.dense_bytes
        payload[group] += tensor.payload_bytes
    return tuple(
        Entry(group, HEADER if group == HEADER and tensors else kind, dense[group], payload[group], size)
        for group, size in sizes.items()
    )


class Ledger:
    """A growing table of what has crossed; see the module."""

    def __init__(self) -> None:
        self._messages = np.empty(0, _MESSAGES)
        self._count = 0
        self._patterns: list[tuple[Entry, ...]] = []
        self._known: dict[tuple[Entry, ...], int] = {}

    @classmethod
    def restored(cls, messages: NDArray[Any], patterns: Sequence[tuple[Entry, ...]]) -> Ledger:
        """Return the ledger that had these ``messages`` and ``patterns``.

        Raises:
            ValueError: They do not fit each other.
        """
        if messages.dtype != _MESSAGES or messages.ndim != 1:
            raise ValueError("not rows of a ledger")
        if len(messages) and not 0 <= messages["pattern"].min() <= messages["pattern"].max() < len(patterns):
            raise ValueError("rows without entries")
        ledger = cls()
        ledger._messages, ledger._count = messages, len(messages)
        ledger._patterns = list(patterns)
        ledger._known = {entries: code for code, entries in enumerate(patterns)}
        return ledger

    def __len__(self) -> int:
        """Return the number of messages."""
        return self._count

    def add(
        self,
        round_: int,
        client: int | Sequence[int],
        direction: Direction,
        entries: Sequence[Entry],
        rank: int = NOBODY,
    ) -> None:
        """Add a message.

        Args:
            round_: From 0.
            client: Who receives or sends it; several clients get a row each.
            direction: ``down`` or ``up``.
            entries: One for each tensor group and kind.
            rank: Only of physical rows.
        """
        clients = np.atleast_1d(np.asarray(client, np.int32))
        self._reserve(clients.size)
        rows = self._messages[self._count : self._count + clients.size]
        rows["round"], rows["client"], rows["rank"] = round_, clients, rank
        rows["direction"], rows["pattern"] = DIRECTIONS.index(direction), self._pattern(tuple(entries))
        self._count += clients.size

    def add_physical(self, round_: int, rank: int, direction: Direction, kind: str, n_bytes: int) -> None:
        """Add a buffer that was handed to MPI: by rank 0 towards ``rank`` (down), or by ``rank`` (up)."""
        self.add(round_, NOBODY, direction, (Entry(MESSAGE, kind, 0, 0, n_bytes),), rank)

    def merge(self, other: Ledger) -> None:
        """Add all rows of another ledger, such as one that a rank has kept of its clients."""
        codes = np.array([self._pattern(entries) for entries in other._patterns], np.int32)
        self._reserve(other._count)
        rows = self._messages[self._count : self._count + other._count]
        rows[:] = other.messages
        rows["pattern"] = codes[rows["pattern"]]
        self._count += other._count

    def truncate(self, round_: int) -> None:
        """Forget ``round_`` and all later rounds."""
        kept = self.messages[self.messages["round"] < round_]
        self._messages, self._count = kept, len(kept)

    @property
    def messages(self) -> NDArray[Any]:
        """One row a message: round, client, rank, direction (0 down, 1 up), and its place in ``patterns``."""
        return self._messages[: self._count]

    @property
    def patterns(self) -> Sequence[tuple[Entry, ...]]:
        """The different contents that messages have."""
        return self._patterns

    @property
    def rounds(self) -> int:
        """Return the number of rounds up to the last one that has a row."""
        return int(self.messages["round"].max()) + 1 if self._count else 0

    def tables(self, physical: bool | None = None) -> Iterator[dict[str, NDArray[Any]]]:
        """Yield the rows in their canonical order, as columns, some thousand messages at a time.

        The order is by round, logical rows before physical ones, client or rank, down before up, and as added.

        Args:
            physical: Only physical rows, only logical ones, or both.
        """
        messages = self._selected(physical)
        order = np.lexsort((messages["direction"], messages["client"], messages["rank"], messages["round"]))
        parts = self._parts()
        for start in range(0, len(order), _CHUNK):
            table = _expanded(messages[order[start : start + _CHUNK]], parts)
            yield {**table, **{name: np.array(names, np.str_)[table[name]] for name, names in parts.names.items()}}

    def totals(
        self, *by: Key, physical: bool = False, direction: Direction | None = None
    ) -> dict[tuple[int | str, ...], Totals]:
        """Return the sums of the three figures for each value of ``by``, in rising order.

        Args:
            by: Columns; without any, the only key is ``()``.
            physical: Of physical rows instead of logical ones.
            direction: Only of one.
        """
        messages = self._selected(physical)
        if direction is not None:
            messages = messages[messages["direction"] == DIRECTIONS.index(direction)]
        # Messages that are alike in all that is asked for are looked at once.
        kept, times = _distinct(messages, [*(name for name in by if name in (_MESSAGES.names or ())), "pattern"])
        parts = self._parts()
        sums: dict[tuple[int, ...], NDArray[np.int64]] = {}
        for start in range(0, len(kept), _CHUNK):
            chunk = messages[kept[start : start + _CHUNK]]
            table = _expanded(chunk, parts)
            repeats = np.repeat(times[start : start + _CHUNK], parts.lengths[chunk["pattern"]])
            keys, places = _grouped([table[name] for name in by], len(repeats))
            found = np.zeros((len(keys), len(FIGURES)), np.int64)
            for column, figure in enumerate(FIGURES):
                np.add.at(found[:, column], places, table[figure] * repeats)
            for key, row in zip(keys, found, strict=True):
                sums[key] = sums[key] + row if key in sums else row
        named = {parts.named(by, key): Totals(*row.tolist()) for key, row in sums.items()}
        return {key: named[key] for key in sorted(named)}

    def total(self, physical: bool = False, direction: Direction | None = None) -> Totals:
        """Return the sums of the three figures over all rows."""
        return self.totals(physical=physical, direction=direction).get((), Totals())

    def bytes_per_round(
        self, by: Key = "kind", physical: bool = False, direction: Direction | None = None
    ) -> dict[str, NDArray[np.int64]]:
        """Return serialised bytes ``(rounds,)`` for each value of ``by``; rounds without any count 0."""
        table: dict[str, NDArray[np.int64]] = {}
        for (round_, value), totals in self.totals("round", by, physical=physical, direction=direction).items():
            row = table.setdefault(str(value), np.zeros(self.rounds, np.int64))
            row[int(round_)] = totals.serialised_bytes
        return table

    def cumulative(self, physical: bool = False, direction: Direction | None = None) -> NDArray[np.int64]:
        """Return serialised bytes ``(rounds,)`` up to and including each round."""
        per_round = np.zeros(self.rounds, np.int64)
        for (round_,), totals in self.totals("round", physical=physical, direction=direction).items():
            per_round[int(round_)] = totals.serialised_bytes
        return np.cumsum(per_round)

    def check(self, counters: Mapping[int, Counters], first_round: int = 0) -> None:
        """Check that physical rows and what MPI was handed agree, and that what was sent has arrived.

        Args:
            counters: Of the server (0) and of every rank that could be asked.
            first_round: Rows of earlier rounds are of an earlier attempt, whose counters are gone.

        Raises:
            WorkError: They differ; names the pair of ranks and both figures.
        """
        for sender, own in counters.items():
            for receiver, n_bytes in own.sent.items():
                if receiver in counters and counters[receiver].received.get(sender, 0) != n_bytes:
                    arrived = counters[receiver].received.get(sender, 0)
                    raise WorkError(f"rank {sender} sent rank {receiver} {n_bytes} bytes, of which {arrived} arrived")
        recent = Ledger.restored(self.messages[self.messages["round"] >= first_round], self._patterns)
        rows = recent.totals("rank", "direction", physical=True)
        for direction, handed in zip(DIRECTIONS, (counters[0].sent, counters[0].received), strict=True):
            for rank in sorted({*handed, *(int(rank) for rank, _ in rows)}):
                told = rows.get((rank, direction), Totals()).serialised_bytes
                if told != handed.get(rank, 0):
                    raise WorkError(
                        f"the ledger tells {told} bytes {direction} for rank {rank}, MPI {handed.get(rank, 0)}"
                    )

    def _pattern(self, entries: tuple[Entry, ...]) -> int:
        code = self._known.get(entries)
        if code is None:
            code = self._known[entries] = len(self._patterns)
            self._patterns.append(entries)
        return code

    def _reserve(self, more: int) -> None:
        if self._count + more > len(self._messages):
            grown = np.empty(max(2 * len(self._messages), self._count + more, 1024), _MESSAGES)
            grown[: self._count] = self.messages
            self._messages = grown

    def _selected(self, physical: bool | None) -> NDArray[Any]:
        if physical is None:
            return self.messages
        selected: NDArray[Any] = self.messages[(self.messages["client"] == NOBODY) == physical]
        return selected

    def _parts(self) -> _Parts:
        lengths = np.array([len(entries) for entries in self._patterns], np.int64)
        flat = [entry for entries in self._patterns for entry in entries]
        columns: dict[str, NDArray[Any]] = {}
        names: dict[str, Sequence[str]] = {"direction": DIRECTIONS}
        for name in ("group", "kind"):
            codes = {value: code for code, value in enumerate(dict.fromkeys(getattr(entry, name) for entry in flat))}
            columns[name] = np.array([codes[getattr(entry, name)] for entry in flat], np.int64)
            names[name] = list(codes)
        columns |= {name: np.array([getattr(entry, name) for entry in flat], np.int64) for name in FIGURES}
        return _Parts(lengths, np.cumsum(lengths) - lengths, columns, names)


class _Parts(NamedTuple):
    """All patterns' entries one after the other, as columns; where each pattern's stand; what codes mean."""

    lengths: NDArray[np.int64]
    starts: NDArray[np.int64]
    columns: dict[str, NDArray[Any]]
    names: dict[str, Sequence[str]]

    def named(self, by: Sequence[Key], key: Sequence[int]) -> tuple[int | str, ...]:
        """Return a key with names for codes."""
        return tuple(self.names[name][code] if name in self.names else code for name, code in zip(by, key, strict=True))


def _expanded(messages: NDArray[Any], parts: _Parts) -> dict[str, NDArray[Any]]:
    """Return one row for each entry of each message, as columns; names are codes."""
    lengths = parts.lengths[messages["pattern"]]
    repeated = np.repeat(np.arange(len(messages)), lengths)
    within = np.arange(len(repeated)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    places = parts.starts[messages["pattern"]][repeated] + within
    table = {name: messages[name][repeated] for name in ("round", "client", "rank", "direction")}
    return {**table, **{name: column[places] for name, column in parts.columns.items()}}


def _distinct(messages: NDArray[Any], names: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the place of one message of each kind that differs in ``names``, and how many there are of it."""
    code = _code([messages[name] for name in names], len(messages))
    _, kept, times = np.unique(code, return_index=True, return_counts=True)
    return kept, times


def _grouped(columns: Sequence[NDArray[Any]], rows: int) -> tuple[list[tuple[int, ...]], NDArray[np.int64]]:
    """Return the different rows of several columns, and for each row which of them it is."""
    _, first, places = np.unique(_code(columns, rows), return_index=True, return_inverse=True)
    if not columns:
        return [()] * len(first), places
    return list(zip(*(column[first].tolist() for column in columns), strict=True)), places


def _code(columns: Sequence[NDArray[Any]], rows: int) -> NDArray[np.int64]:
    """Return a number for each row, equal for rows that are equal in all columns."""
    code = np.zeros(rows, np.int64)
    for column in columns:
        if rows:
            digits = column.astype(np.int64) - int(column.min())
            code = code * (int(digits.max()) + 1) + digits
    return code
