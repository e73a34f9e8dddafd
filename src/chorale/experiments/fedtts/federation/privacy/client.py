"""A client's part in a secure aggregation: what it sends, and what it refuses to reveal."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np

from chorale.core.errors import WorkError
from chorale.experiments.fedtts.federation.privacy.keys import (
    PublicKeys,
    Secrets,
    derive,
    load_private,
    public_half,
    seal,
    shared_secret,
    unseal,
)
from chorale.experiments.fedtts.federation.privacy.masks import Words, add_masks
from chorale.experiments.fedtts.federation.privacy.shares import SHARE_BYTES, split

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey


def mask_key(private: X25519PrivateKey, public: bytes, round_: int, one: int, other: int) -> bytes:
    """Return the key of the mask that two clients share in a round, the same whichever of them asks."""
    low, high = sorted((one, other))
    return derive(shared_secret(private, public), f"mask {round_} {low} {high}")


def mask_sign(client: int, peer: int) -> int:
    """Return whether a client adds the mask it shares with a peer or takes it away.

    ``+1 if u > v else -1``: Bonawitz et al. 2017, figure 4, round 2.
    """
    return 1 if client > peer else -1


class SecureClient:
    """One client in one round.

    Args:
        client: Its id.
        round_: The round.
        threshold: Shares that recover a secret.
        secrets: Its secrets of the round.
    """

    def __init__(self, client: int, round_: int, threshold: int, secrets: Secrets) -> None:
        self.client = client
        self._round = round_
        self._threshold = threshold
        self._secrets = secrets
        self._channel_key = load_private(secrets.channel)
        self._masking_key = load_private(secrets.masking)
        self.public = PublicKeys(public_half(self._channel_key), public_half(self._masking_key))
        self._agreed: dict[int, bytes] = {}
        self._held: dict[int, tuple[int, int]] = {}
        self._has_masked = False
        self._revealed_for: frozenset[int] | None = None

    def sealed_shares(self, publics: Mapping[int, PublicKeys]) -> dict[int, bytes]:
        """Return for each other client its shares of this one's masking key and own seed, encrypted for it.

        Bonawitz et al. 2017, figure 4, round 1. A share's point is the holder's id + 1.

        Args:
            publics: What every client of the round has advertised, this one too.
        """
        points = {peer: peer + 1 for peer in sorted(publics)}
        draw = self._secrets.random_bytes
        keys = split(self._secrets.masking, self._threshold, list(points.values()), draw)
        seeds = split(self._secrets.self_seed, self._threshold, list(points.values()), draw)
        self._held[self.client] = keys[self.client + 1], seeds[self.client + 1]
        return {
            peer: seal(
                self._sealing_key(self.client, peer, publics[peer]),
                keys[point].to_bytes(SHARE_BYTES, "big") + seeds[point].to_bytes(SHARE_BYTES, "big"),
                self._channel(self.client, peer).encode(),
            )
            for peer, point in points.items()
            if peer != self.client
        }

    def accept(self, sender: int, sealed: bytes, public: PublicKeys) -> None:
        """Keep the shares of another client's secrets.

        Raises:
            WorkError: They were not sealed by that client for this one in this round.
        """
        from cryptography.exceptions import InvalidTag

        key = self._sealing_key(sender, self.client, public)
        try:
            plain = unseal(key, sealed, self._channel(sender, self.client).encode())
        except InvalidTag as error:
            raise WorkError(f"secure aggregation: client {sender}'s shares for {self.client} are damaged") from error
        half = len(plain) // 2
        self._held[sender] = int.from_bytes(plain[:half], "big"), int.from_bytes(plain[half:], "big")

    def masked(self, vector: Words, publics: Mapping[int, PublicKeys]) -> Words:
        """Return the vector under the client's own mask and those it shares with every other, modulo 2^64.

        ``y_u = x_u + PRG(b_u) + sum over v of sign(u, v) PRG(s_uv)``: Bonawitz et al. 2017, figure 4, round 2.

        Args:
            vector: ``(n,)`` uint64.
            publics: What every client of the round has advertised.

        Raises:
            WorkError: A second vector was to be masked: the difference of two under one mask is in the clear.
        """
        if self._has_masked:
            raise WorkError(f"secure aggregation: client {self.client} was to mask twice in round {self._round}")
        self._has_masked = True
        pairs = [
            (
                mask_key(self._masking_key, keys.masking, self._round, self.client, peer),
                mask_sign(self.client, peer),
            )
            for peer, keys in publics.items()
            if peer != self.client
        ]
        result = np.array(vector, dtype=np.uint64)
        add_masks(result, [(self._secrets.self_seed, 1), *pairs])
        return result

    def reveal(self, answered: Collection[int]) -> dict[int, int]:
        """Return one share for each client of the round: of its own seed if it answered, else of its masking key.

        Never both for one client, for both would uncover its vector: the request names those that answered, and only
        one request is served in a round (Bonawitz et al. 2017, figure 4, round 4).

        Raises:
            WorkError: Fewer answered than the threshold, or the server asks again with other clients.
        """
        request = frozenset(answered)
        if len(request) < self._threshold or not request <= self._held.keys():
            raise WorkError(f"secure aggregation: client {self.client} refuses to reveal shares for {len(request)}")
        if self._revealed_for is not None and request != self._revealed_for:
            raise WorkError(
                f"secure aggregation: client {self.client} refuses a second request in round {self._round}: "
                "both shares of one client would uncover its update"
            )
        self._revealed_for = request
        return {peer: seed if peer in request else key for peer, (key, seed) in self._held.items()}

    def _sealing_key(self, sender: int, receiver: int, public: PublicKeys) -> bytes:
        peer = receiver if sender == self.client else sender
        if peer not in self._agreed:
            self._agreed[peer] = shared_secret(self._channel_key, public.channel)
        return derive(self._agreed[peer], self._channel(sender, receiver))

    def _channel(self, sender: int, receiver: int) -> str:
        return f"shares {self._round} {sender} {receiver}"
