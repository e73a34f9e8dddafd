"""Who is asked in a round and who never answers; a function of the seed and the round, on every host alike."""

from __future__ import annotations

from typing import NamedTuple

from chorale.core.seeds import seed_for
from chorale.experiments.fedtts.config.federation import ParticipationConfig

_SEEDS = 2.0**63


class Asked(NamedTuple):
    """A round's clients.

    Attributes:
        clients: Who is asked, and downloads; ascending.
        dropped: Those of them that never answer.
    """

    clients: tuple[int, ...]
    dropped: frozenset[int]


def ask(config: ParticipationConfig, clients: int, round_: int, seed: int) -> Asked:
    """Draw who takes part.

    Clients are sampled uniformly without replacement (McMahan et al. 2017, algorithm 1); whether one drops out is drawn
    for each on its own (our choice). Where fewer have joined than are to be asked, all that have joined are.

    Args:
        config: Who takes part.
        clients: Number of clients.
        round_: Counts from 0.
        seed: Root of the draws.
    """
    late = late_joiners(config, clients, seed) if round_ < config.late_round else frozenset()
    joined = [client for client in range(clients) if client not in late]
    count = len(joined) if config.per_round is None else min(config.per_round, len(joined))
    drawn = sorted(joined, key=lambda client: seed_for(seed, "asked", round_, client))[:count]
    dropped = (client for client in drawn if _uniform(seed, "drop out", round_, client) < config.drop_out)
    return Asked(tuple(sorted(drawn)), frozenset(dropped))


def late_joiners(config: ParticipationConfig, clients: int, seed: int) -> frozenset[int]:
    """Return the clients that may be asked only from ``late_round`` on: ``late_share`` of all, rounded down.

    Args:
        config: Who takes part.
        clients: Number of clients.
        seed: Root of the draws.
    """
    order = sorted(range(clients), key=lambda client: seed_for(seed, "late", client))
    return frozenset(order[: int(config.late_share * clients)])


def _uniform(*key: str | int) -> float:
    return seed_for(*key) / _SEEDS
