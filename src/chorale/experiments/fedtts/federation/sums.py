"""A round's sum of the clients' answers, the same bits in whatever order and grouping they are added."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from chorale.experiments.fedtts.config.federation import FederationConfig
from chorale.experiments.fedtts.federation.codecs import EncodedTensor, decode, decode_integers, encode_integers
from chorale.experiments.fedtts.federation.fixed_point import FixedSum, to_fixed
from chorale.experiments.fedtts.federation.privacy.differential import clip
from chorale.experiments.fedtts.federation.privacy.secure import SecureRound
from chorale.experiments.fedtts.federation.scaffold import is_control
from chorale.ranks.buffers import Buffers

Array = NDArray[np.float32]
WEIGHT = "weight"
"""Name of a client's weight within its masked vector."""


class Means(Mapping[str, NDArray[np.float64]]):
    """Weighted means by name, each computed when it is asked for: all at once they would be as long as two models.

    Args:
        fixed: The sums.
        names: Of the tensors.
    """

    def __init__(self, fixed: FixedSum, names: Sequence[str]) -> None:
        self._fixed, self._names = fixed, dict.fromkeys(names)

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        if name not in self._names:
            raise KeyError(name)
        return self._fixed.mean(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class RoundSum:
    """Adds answers up; a rank does it for its clients, the server for all.

    Args:
        config: Of the federation.
        total_weight: Upper bound of the sum of all weights.
        memory: Where the sums lie, one round's after another's.
    """

    def __init__(self, config: FederationConfig, total_weight: int, memory: Buffers | None = None) -> None:
        self._config, self._total_weight = config, total_weight
        self.fixed = FixedSum(config.fraction_bits, memory)

    def add(self, answer: Mapping[str, EncodedTensor], weight: int) -> None:
        """Add one client's answer.

        Args:
            answer: As it was sent: values, or masked integers.
            weight: The client's; control variates count alike for all.

        Raises:
            WorkError: A value is not finite or too large.
        """
        privacy = self._config.privacy
        if privacy.secure_aggregation:
            for name, integers in decode_integers(answer).items():
                self.fixed.add(name, integers, 1)
            return
        # What is not finite is found when it is added; not so what clipping has made of it.
        values = decode(answer, refuse_infinite=privacy.dp == "central")
        controls = {name: values.pop(name) for name in list(values) if is_control(name)}
        if privacy.dp == "central":
            # Here and not only at the client: a lossy codec and error feedback can lengthen an update.
            values = clip(values, privacy.clip_norm)
        self.fixed.add_all(values, weight, self._total_weight)
        self.fixed.add_all(controls, 1, self._total_weight)

    def settle(self) -> None:
        """Add up what waits to be added with more: to be called where there is time for it."""
        self.fixed.settle()

    def encoded(self) -> dict[str, EncodedTensor]:
        """Return the sums as a rank sends them."""
        lossless = self._config.up.lossless and not self._config.privacy.secure_aggregation
        return encode_integers(self.fixed.sums, lossless)

    def merge(self, sums: Mapping[str, EncodedTensor], weight: int, clients: int) -> None:
        """Add what another rank has added up.

        Args:
            sums: As ``encoded`` gave them.
            weight: Sum of its clients' weights.
            clients: Number of its clients that are in it.
        """
        masked = self._config.privacy.secure_aggregation
        for name, integers in decode_integers(sums).items():
            self.fixed.add(name, integers, clients if masked or is_control(name) else weight)

    def unmask(self, secure: SecureRound, answered: tuple[int, ...]) -> None:
        """Turn the sum of masked vectors into that of the vectors.

        Raises:
            WorkError: Too few answered.
        """
        sums = self.fixed.sums
        total = np.concatenate([each.reshape(-1) for each in sums.values()]).view(np.uint64)
        plain = split(secure.unmask(total, answered), {name: each.shape for name, each in sums.items()})
        weight = int(plain.pop(WEIGHT)[0])
        self.fixed = FixedSum(self._config.fraction_bits)
        for name, integers in plain.items():
            self.fixed.add(name, integers, len(answered) if is_control(name) else weight)

    def means(self, controls: bool = False) -> Means:
        """Return the weighted mean of each tensor, or of each control variate."""
        return Means(self.fixed, [name for name in self.fixed if is_control(name) == controls])


def masked(
    secure: SecureRound, client: int, values: Mapping[str, Array], weight: int, fraction_bits: int, total_weight: int
) -> dict[str, EncodedTensor]:
    """Return what a client sends with secure aggregation: weighted fixed-point values and its weight, masked.

    Args:
        secure: The round.
        client: Who.
        values: What the receiver would make of its encoded answer.
        weight: Its weight.
        fraction_bits: Of the fixed-point values.
        total_weight: Upper bound of the sum of all weights.
    """
    fixed = {
        name: to_fixed(value, 1 if is_control(name) else weight, fraction_bits, total_weight, name)
        for name, value in values.items()
    }
    fixed[WEIGHT] = np.array([weight], np.int64)
    vector = np.concatenate([each.reshape(-1) for each in fixed.values()]).view(np.uint64)
    hidden = secure.masked(client, vector)
    return encode_integers(split(hidden, {name: each.shape for name, each in fixed.items()}))


def split(vector: NDArray[np.uint64], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray[np.int64]]:
    """Return a vector's parts, by name, as signed integers."""
    parts: dict[str, NDArray[np.int64]] = {}
    start = 0
    for name, shape in shapes.items():
        end = start + int(np.prod(shape, dtype=np.int64))
        parts[name] = vector[start:end].view(np.int64).reshape(shape)
        start = end
    return parts
