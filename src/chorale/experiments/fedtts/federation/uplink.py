"""How a rank's answers reach the server: one by one, or added up, whichever is smaller where adding up is allowed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from pydantic import JsonValue

from chorale.core.errors import WorkError
from chorale.experiments.fedtts.config.federation import FederationConfig
from chorale.experiments.fedtts.federation.codecs import EncodedTensor, require_finite
from chorale.experiments.fedtts.federation.host import Answer
from chorale.experiments.fedtts.federation.message import pack_parts, unpack
from chorale.experiments.fedtts.federation.report import PREFIX, ClientReport, RankReport, read_report
from chorale.experiments.fedtts.federation.server_line import ANSWER, ServerLine
from chorale.experiments.fedtts.federation.stopwatch import Stopwatch
from chorale.experiments.fedtts.federation.sums import RoundSum
from chorale.ranks.buffers import Buffers
from chorale.ranks.channel import Buffer

_SUM_BYTES = 8
# Answers that are to be sent one by one wait together until so much has come up: while the server's own clients train,
# it takes nothing, and a rank that waits for it trains nothing.
_PENDING_BYTES = 1 << 28


class Received(NamedTuple):
    """A message of a rank.

    Attributes:
        report: Of the clients that it is about.
        tensors: One client's answer, or the sum of those that were not late.
        is_last: Whether it is the rank's last of the round; only that one may hold a sum.
        stop: 0, or why the rank wants to stop.
    """

    report: RankReport
    tensors: dict[str, EncodedTensor]
    is_last: bool
    stop: int


class Uplink:
    """Sends a rank's answers of one round.

    Args:
        config: Of the federation.
        server: The server's rank.
        sizes: Number of values of each tensor of an answer.
        total_weight: Upper bound of the sum of all weights.
        memory: Where sums lie, one round's after another's.

    Attributes:
        adding: Wall time of adding up, and of looking at what is sent one by one.
    """

    def __init__(
        self,
        config: FederationConfig,
        server: ServerLine,
        sizes: Mapping[str, int],
        total_weight: int,
        memory: Buffers | None = None,
    ) -> None:
        self._config, self._server, self._total_weight, self._memory = config, server, total_weight, memory
        self.adding = Stopwatch()
        self._limit = _SUM_BYTES * math.fsum(sizes.values()) if config.aggregate_in_rank else _PENDING_BYTES
        self._pending: list[Answer] = []
        self._pending_bytes = 0
        self._sum: RoundSum | None = None
        self._told: list[ClientReport] = []

    def take(self, answer: Answer) -> None:
        """Take one client's answer; one that is late is reported and not sent."""
        if answer.report.is_late:
            self._told.append(answer.report)
            return
        self._pending.append(answer)
        self._pending_bytes += sum(tensor.payload_bytes for tensor in answer.tensors.values())
        if self._sum is not None or self._pending_bytes >= self._limit:
            self._flush(add_up=self._config.aggregate_in_rank)

    def finish(self, compute_s: float, codec_s: float, stop: int) -> None:
        """Send what has not been sent, and the rank's report.

        Args:
            compute_s: Wall time of training.
            codec_s: Wall time of decoding and encoding; that of adding up is added here.
            stop: 0, or why the rank wants to stop.
        """
        self._flush(add_up=False)
        with self.adding:
            sums = self._sum.encoded() if self._sum is not None else {}
        report = RankReport(self._told, compute_s, codec_s + self.adding.seconds)
        self._send(report, sums, is_last=True, stop=stop)

    def _flush(self, add_up: bool) -> None:
        for answer in self._pending:
            if add_up:
                with self.adding:
                    self._sum = self._sum or RoundSum(self._config, self._total_weight, self._memory)
                    self._sum.add(answer.tensors, answer.report.weight)
                self._told.append(answer.report)
            else:
                # Here, and not only at the server: the fault is this rank's.
                with self.adding:
                    require_finite(answer.tensors)
                self._send(RankReport([answer.report], 0.0, 0.0), answer.tensors, is_last=False, stop=0)
        self._pending, self._pending_bytes = [], 0

    def _send(self, report: RankReport, tensors: Mapping[str, EncodedTensor], is_last: bool, stop: int) -> None:
        facts, arrays = report.pack()
        # Numbers, not words: a message's length must not tell whether somebody wants to stop.
        rest: dict[str, JsonValue] = {"is_last": int(is_last), "stop": stop}
        self._server.send(pack_parts(ANSWER, facts | rest, {**arrays, **tensors}))


def read_answer(buffer: Buffer, shapes: Mapping[str, tuple[int, ...]]) -> Received:
    """Return what ``Uplink`` sent.

    Args:
        buffer: The message.
        shapes: Names and shapes of the tensors of this round's answers.

    Raises:
        WorkError: It is damaged, or of other tensors.
    """
    message = unpack(buffer, ANSWER)
    tensors = {name: tensor for name, tensor in message.tensors.items() if not name.startswith(PREFIX)}
    if tensors and {name: tensor.shape for name, tensor in tensors.items()} != dict(shapes):
        odd = sorted(set(shapes) ^ set(tensors)) or [name for name in shapes if tensors[name].shape != shapes[name]]
        raise WorkError(f"an answer does not hold what round it is of asks for: {odd[0]}")
    report = read_report(message.facts, message.tensors)
    try:
        is_last, stop = bool(message.facts["is_last"]), int(message.facts["stop"])
    except (KeyError, TypeError, ValueError) as error:
        raise WorkError(f"an answer is malformed: {error!r}") from error
    return Received(report, tensors, is_last, stop)
