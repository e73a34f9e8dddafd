"""Secure aggregation: the server learns the sum of the clients' vectors, and no vector of its own.

The protocol of Bonawitz et al. 2017 ("Practical secure aggregation for privacy-preserving machine learning"), figure
4, against a curious server and curious clients below the threshold; without the signatures and the consistency check
that guard against a server that lies about who takes part. Cost grows with the square of a round's clients.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

import numpy as np

from chorale.core.errors import WorkError
from chorale.experiments.fedtts.federation.privacy.client import SecureClient, mask_key, mask_sign
from chorale.experiments.fedtts.federation.privacy.keys import (
    KEY_BYTES,
    TAG_BYTES,
    PublicKeys,
    draw_secrets,
    keyed_bytes,
    load_private,
    public_half,
    system_bytes,
)
from chorale.experiments.fedtts.federation.privacy.masks import Words, add_masks
from chorale.experiments.fedtts.federation.privacy.shares import SHARE_BYTES, combine, weights_at_zero

_ID_BYTES = 4
_ADVERTISED_BYTES = _ID_BYTES + 2 * KEY_BYTES
_SEALED_BYTES = _ID_BYTES + 2 * SHARE_BYTES + TAG_BYTES


class MessageBytes(NamedTuple):
    """A message of the protocol beside the masked vector itself.

    ``keys``: public keys; ``shares``: encrypted shares; ``masks``: who answered, and the shares that unmask.
    """

    client: int
    direction: Literal["down", "up"]
    kind: Literal["keys", "shares", "masks"]
    bytes: int


def threshold_count(share: float, clients: int) -> int:
    """Return how many clients must answer: ``ceil(share x clients)``, and no sum of one where there are several."""
    return max(min(2, clients), math.ceil(share * clients - 1e-9))


class SecureRound:
    """One round: every client's part, and the server's.

    All parts of a simulated federation live in one object; where several ranks simulate it, each makes its own with
    the same arguments, uses its own clients' parts, and the server's rank that of the server. That needs keys which
    are a function of (seed, round, client): they make runs repeat and hide nothing from whoever knows the seed. In a
    deployment each client draws its keys from its system's randomness (``deterministic=False``, one process here).

    Args:
        round_: The round.
        clients: Ids of the clients that were asked and have exchanged keys and shares.
        threshold: How many must answer; see :func:`threshold_count`.
        seed: Root of the keys.
        deterministic: Keys from the seed; else from the system's randomness.

    Raises:
        WorkError: A client occurs twice, or the threshold is not between 1 and the number of clients.
    """

    def __init__(
        self, round_: int, clients: Sequence[int], threshold: int, seed: int, deterministic: bool = True
    ) -> None:
        self.clients = tuple(sorted(clients))
        if len(set(self.clients)) != len(self.clients) or not 1 <= threshold <= len(self.clients):
            raise WorkError(f"secure aggregation: a threshold of {threshold} among {len(self.clients)} clients")
        self._round = round_
        self._threshold = threshold
        self._parts = {
            client: SecureClient(
                client,
                round_,
                threshold,
                draw_secrets(keyed_bytes(seed, round_, client) if deterministic else system_bytes),
            )
            for client in self.clients
        }
        self._publics = {client: part.public for client, part in self._parts.items()}
        self._shares_are_dealt = False

    def client_keys(self, client: int) -> PublicKeys:
        """Return what a client advertises."""
        return self._publics[client]

    def client_part(self, client: int) -> SecureClient:
        """Return a client's own part."""
        return self._parts[client]

    def masked(self, client: int, vector: Words) -> Words:
        """Return what a client sends instead of its vector, ``(n,)`` uint64, to be summed modulo 2^64.

        Raises:
            WorkError: The client was to mask a second vector in this round.
        """
        return self._parts[client].masked(vector, self._publics)

    def unmask(self, total: Words, answered: Collection[int]) -> Words:
        """Return the sum of the vectors of those that answered.

        Clients that dropped out have left their shared masks in the sum: the server recovers their masking keys, and
        the own seeds of those that answered, from shares that the latter reveal. An answer that comes after this
        stays hidden under its client's own mask, and cannot be added any more.

        Args:
            total: Sum modulo 2^64 of their masked vectors, ``(n,)`` uint64.
            answered: The clients whose masked vectors are in the sum.

        Raises:
            WorkError: Fewer answered than the threshold, or one that was not asked, or a recovered key is wrong.
        """
        present = tuple(sorted(set(answered)))
        strangers = set(present) - set(self.clients)
        if strangers:
            raise WorkError(f"secure aggregation: client {min(strangers)} is not of round {self._round}")
        if len(present) < self._threshold:
            raise WorkError(
                f"secure aggregation: {len(present)} of {len(self.clients)} clients answered in round {self._round}, "
                f"{self._threshold} are needed",
                "lower federation.privacy.threshold or federation.participation.drop_out",
            )
        self._deal_shares()
        helpers = present[: self._threshold]
        revealed = [self._parts[helper].reveal(present) for helper in helpers]
        weights = weights_at_zero([helper + 1 for helper in helpers])
        masks: list[tuple[bytes, int]] = []
        for client in self.clients:
            secret = combine([shares[client] for shares in revealed], weights)
            if client in present:
                masks.append((secret, -1))
                continue
            recovered = load_private(secret)
            if public_half(recovered) != self._publics[client].masking:
                raise WorkError(f"secure aggregation: the shares of client {client}'s masking key are wrong")
            masks += [
                (mask_key(recovered, self._publics[peer].masking, self._round, client, peer), -mask_sign(peer, client))
                for peer in present
            ]
        result = np.array(total, dtype=np.uint64)
        add_masks(result, masks)
        return result

    def message_bytes(self, answered: Collection[int]) -> list[MessageBytes]:
        """Return every message of the round beside the masked vectors, with its exact size.

        An advertisement is an id and two keys, and goes to all with all others' in one list; shares are an id and
        two shares under one tag for each other client; those that answered get the ids of all that did, and reveal
        one share of each client.

        Args:
            answered: The clients that answered; the others have exchanged keys and shares only.
        """
        count = len(self.clients)
        rows: list[MessageBytes] = []
        for client in self.clients:
            rows += [
                MessageBytes(client, "up", "keys", _ADVERTISED_BYTES),
                MessageBytes(client, "down", "keys", count * _ADVERTISED_BYTES),
                MessageBytes(client, "up", "shares", (count - 1) * _SEALED_BYTES),
                MessageBytes(client, "down", "shares", (count - 1) * _SEALED_BYTES),
            ]
            if client in answered:
                rows += [
                    MessageBytes(client, "down", "masks", len(set(answered)) * _ID_BYTES),
                    MessageBytes(client, "up", "masks", count * SHARE_BYTES),
                ]
        return rows

    def _deal_shares(self) -> None:
        if self._shares_are_dealt:
            return
        self._shares_are_dealt = True
        for sender, part in self._parts.items():
            for receiver, sealed in part.sealed_shares(self._publics).items():
                self._parts[receiver].accept(sender, sealed, self._publics[sender])
