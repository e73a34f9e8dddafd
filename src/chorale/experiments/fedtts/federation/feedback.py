"""Error feedback: what a lossy codec left out of an update is added to the next one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from chorale.experiments.fedtts.federation.codecs import Array, EncodedTensor, decode, encode

if TYPE_CHECKING:
    from chorale.experiments.fedtts.config.federation import CodecConfig


class ErrorFeedback:
    """One client's memory of what it has not been able to send.

    With update u and memory e: send C(u + e), keep e' = u + e - C(u + e). The sum of what is sent differs from the sum
    of the updates by the last memory only (Seide et al. 2014; Karimireddy et al. 2019, algorithm 1).

    Args:
        residuals: The memory as it was saved; none for a new client.

    Attributes:
        residuals: The memory, by parameter; tensors that were never encoded, or were sent exactly, have none.
    """

    def __init__(self, residuals: Mapping[str, Array] | None = None) -> None:
        self.residuals: dict[str, Array] = dict(residuals or {})

    def encode(
        self, update: Mapping[str, Array], codec: CodecConfig
    ) -> tuple[dict[str, EncodedTensor], dict[str, Array]]:
        """Return what is sent for ``update``, and what the receiver makes of it; the memory is brought up to date.

        Without ``codec.error_feedback`` nothing is remembered. A parameter that is not in ``update`` keeps its memory.
        With ``none``, whoever takes what is returned must see to it that the values are finite.

        Raises:
            WorkError: A lossy codec was given a value that is not finite.
        """
        remembers = codec.error_feedback and codec.kind != "none"
        wanted = {name: self._corrected(name, value) for name, value in update.items()} if remembers else dict(update)
        encoded = encode(wanted, codec)
        # Exact codecs give the same back.
        decoded = decode(encoded) if codec.kind != "none" else wanted
        if remembers:
            self.residuals.update({name: np.subtract(wanted[name], decoded[name]) for name in wanted})
        return encoded, decoded

    def _corrected(self, name: str, value: Array) -> Array:
        residual = self.residuals.get(name)
        return value if residual is None else value + residual
