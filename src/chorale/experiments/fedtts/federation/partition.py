"""Which utterances are whose: every utterance exactly once, every client at least one.

A client's share depends on the utterances' keys and ``data_seed`` alone, not on the order in which they are listed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from chorale.core.errors import InputError
from chorale.core.seeds import seed_for
from chorale.experiments.fedtts.config.federation import PartitionConfig

Shares = list[list[int]]


class Utterance(Protocol):
    """What a partition asks of an utterance."""

    @property
    def key(self) -> str:
        """Unique name."""

    @property
    def group(self) -> str:
        """Chapter or recording session."""

    @property
    def speaker(self) -> str:
        """Who speaks."""

    @property
    def frames(self) -> int:
        """Mel frames."""


def partition(entries: Sequence[Utterance], config: PartitionConfig, clients: int, seed: int) -> Shares:
    """Return, for each client, the ascending positions of its utterances in ``entries``.

    Args:
        entries: The training utterances.
        config: The kind of partition.
        clients: Number of clients.
        seed: Root of the draws.

    Raises:
        InputError: There are fewer utterances, or chapters, than clients.
    """
    if len(entries) < clients:
        raise InputError(
            f"{len(entries)} training utterances are too few for {clients} clients",
            f"set federation.clients to {len(entries)} at most, or take more of the corpus",
        )
    order = sorted(range(len(entries)), key=lambda index: (seed_for(seed, "utterance", entries[index].key), index))
    match config.kind:
        case "iid":
            shares = [order[client::clients] for client in range(clients)]
        case "size-skew":
            shares = _size_skew(order, config.sigma, clients, seed)
        case "chapter":
            shares = _chapters(entries, order, clients)
        case "speaker":
            shares = _speakers(entries, order, clients)
        case "dirichlet":
            shares = _dirichlet(entries, order, config.alpha, clients, seed)
    return [sorted(share) for share in shares]


def _size_skew(order: list[int], sigma: float, clients: int, seed: int) -> Shares:
    """Deal out by log-normal sizes, ``exp(sigma * N(0, 1))`` (our choice)."""
    sizes = np.exp(sigma * _generator(seed, "size").standard_normal(clients))
    return _cut(order, 1 + _apportion(len(order) - clients, sizes))


def _chapters(entries: Sequence[Utterance], order: list[int], clients: int) -> Shares:
    """Give out whole chapters, the longest first, each to whom has least: sizes come out as even as chapters allow."""
    chapters = _classes(entries, order, "group")
    if len(chapters) < clients:
        raise InputError(
            f"{len(chapters)} chapters or sessions are too few for {clients} clients with partition.kind chapter",
            f"set federation.clients to {len(chapters)} at most, or partition.kind to iid or dirichlet",
        )
    return _pack(entries, chapters, clients)


def _speakers(entries: Sequence[Utterance], order: list[int], clients: int) -> Shares:
    """Give each client one speaker or a part of one's utterances; several whole speakers where clients are fewer."""
    speakers = _classes(entries, order, "speaker")
    if len(speakers) >= clients:
        return _pack(entries, speakers, clients)
    sizes = np.array([len(indexes) for indexes in speakers.values()], dtype=np.float64)
    counts = np.ones(len(sizes), dtype=np.int64)
    # One client after the other joins the speaker whose clients have most each; none can come to have nothing.
    for _ in range(clients - len(sizes)):
        counts[int(np.argmax(sizes / counts))] += 1
    return [
        indexes[part::count]
        for indexes, count in zip(speakers.values(), counts.tolist(), strict=True)
        for part in range(count)
    ]


def _dirichlet(entries: Sequence[Utterance], order: list[int], alpha: float, clients: int, seed: int) -> Shares:
    """Divide each class by shares drawn from a symmetric Dirichlet distribution (Yurochkin et al. 2019, section 4).

    Classes are speakers where the corpus has several, else chapters. A client that drew nothing is given one utterance
    of the client that has most (our choice).
    """
    several = len({entry.speaker for entry in entries}) > 1
    shares: Shares = [[] for _ in range(clients)]
    for name, indexes in _classes(entries, order, "speaker" if several else "group").items():
        drawn = _generator(seed, "share", name).dirichlet(np.full(clients, alpha))
        for share, part in zip(shares, _cut(indexes, _apportion(len(indexes), drawn)), strict=True):
            share.extend(part)
    for share in shares:
        if not share:
            share.append(max(shares, key=len).pop())
    return shares


def _classes(entries: Sequence[Utterance], order: list[int], attribute: str) -> dict[str, list[int]]:
    classes: dict[str, list[int]] = {}
    for index in order:
        classes.setdefault(getattr(entries[index], attribute), []).append(index)
    return dict(sorted(classes.items()))


def _pack(entries: Sequence[Utterance], classes: Mapping[str, list[int]], clients: int) -> Shares:
    frames = {name: sum(entries[index].frames for index in indexes) for name, indexes in classes.items()}
    shares: Shares = [[] for _ in range(clients)]
    loads = [0] * clients
    for name in sorted(classes, key=lambda name: (-frames[name], name)):
        least = min(range(clients), key=lambda client: (loads[client], len(shares[client]), client))
        shares[least].extend(classes[name])
        loads[least] += frames[name]
    return shares


def _apportion(total: int, shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return whole numbers that sum to ``total``, by largest remainders."""
    # Tiny alphas can underflow every share to zero.
    weight = shares.sum()
    exact: NDArray[np.float64] = total * (shares / weight if weight > 0 else np.full(len(shares), 1 / len(shares)))
    whole: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    rest = total - int(whole.sum())
    whole[np.argsort(whole - exact, kind="stable")[:rest]] += 1
    return whole


def _cut(indexes: list[int], sizes: NDArray[np.int64]) -> Shares:
    ends = np.cumsum(sizes).tolist()
    return [indexes[end - size : end] for end, size in zip(ends, sizes.tolist(), strict=True)]


def _generator(seed: int, *what: str) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed_for(seed, "partition", *what)))
