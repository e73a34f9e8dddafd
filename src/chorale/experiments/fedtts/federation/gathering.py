"""How the server comes by a round's answers: from its own clients, then from the ranks as they come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from chorale.experiments.fedtts.config.federation import FederationConfig
from chorale.experiments.fedtts.federation.host import ClientHost
from chorale.experiments.fedtts.federation.order import RankOrder
from chorale.experiments.fedtts.federation.peers import Peers
from chorale.experiments.fedtts.federation.report import ClientReport
from chorale.experiments.fedtts.federation.server_line import ANSWER, SERVER
from chorale.experiments.fedtts.federation.stopwatch import Stopwatch
from chorale.experiments.fedtts.federation.sums import WEIGHT, RoundSum
from chorale.experiments.fedtts.federation.uplink import Received, read_answer


@dataclass
class Gathered:
    """What has come back in a round.

    Attributes:
        total: Sum of the answers that were not late.
        reports: Of clients that trained, by client.
        compute_s: Wall time of training, of each rank.
        codec_s: Wall time of encoding, decoding and adding up, of each rank.
        stop: The largest code of any rank that wants to stop; 0 if none does.
    """

    total: RoundSum
    reports: dict[int, ClientReport] = field(default_factory=dict)
    compute_s: list[float] = field(default_factory=list)
    codec_s: list[float] = field(default_factory=list)
    stop: int = 0

    @property
    def answered(self) -> tuple[int, ...]:
        """Clients whose answers count."""
        return tuple(client for client in sorted(self.reports) if not self.reports[client].is_late)

    def means(self) -> dict[str, float]:
        """Return each metric's mean over the steps of the clients that answered, added up in order of client."""
        reports = [self.reports[client] for client in self.answered]
        steps = sum(report.steps for report in reports)
        if steps == 0:
            return {}
        names = sorted({name for report in reports for name in report.metrics})
        return {f"{name}/train": sum(report.metrics.get(name, 0.0) for report in reports) / steps for name in names}


def answer_shapes(
    config: FederationConfig, task: RankOrder, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, tuple[int, ...]]:
    """Return names and shapes of the tensors of a round's answers."""
    wanted = {name: shapes[name] for name in task.order.trained(shapes)}
    return wanted | {WEIGHT: (1,)} if config.privacy.secure_aggregation else wanted


def gather(
    config: FederationConfig,
    tasks: Mapping[int, RankOrder],
    host: ClientHost,
    values: Mapping[str, NDArray[np.float32]],
    peers: Peers,
    shapes: Mapping[str, tuple[int, ...]],
) -> Gathered:
    """Let the server's own clients do their round, and take the answers of the other ranks.

    Args:
        config: Of the federation.
        tasks: What each rank was told.
        host: The server's own clients.
        values: Published tensors.
        peers: The other ranks.
        shapes: Of every tensor that can ever exist.

    Raises:
        LostRankError: A rank is lost, and that ends the run.
        WorkError: A message is damaged.
    """
    task, adding = tasks[SERVER], Stopwatch()
    gathered = Gathered(RoundSum(config, task.order.total_weight, host.memory))
    host.begin(task, values)
    for client in task.clients:
        answer = host.answer(client)
        gathered.reports[client] = answer.report
        if not answer.report.is_late:
            with adding:
                gathered.total.add(answer.tensors, answer.report.weight)
        # The ranks may have done their share long ago, and wait.
        peers.beat()
    # The ranks are still at work.
    with adding:
        gathered.total.settle()
    expected = answer_shapes(config, task, shapes)
    waiting = set(peers.alive)
    while (found := peers.receive(waiting, ANSWER)) is not None:
        rank, buffer = found
        with adding:
            received = read_answer(buffer, expected)
            _take(gathered, received)
        if received.is_last:
            waiting.discard(rank)
            gathered.compute_s.append(received.report.compute_s)
            gathered.codec_s.append(received.report.codec_s)
            gathered.stop = max(gathered.stop, received.stop)
    gathered.compute_s.append(host.compute_s)
    gathered.codec_s.append(host.codec_s + adding.seconds)
    return gathered


def _take(gathered: Gathered, received: Received) -> None:
    counted = [report for report in received.report.clients if not report.is_late]
    gathered.reports |= {report.client: report for report in received.report.clients}
    if not received.tensors:
        return
    if received.is_last:
        gathered.total.merge(received.tensors, sum(report.weight for report in counted), len(counted))
    else:
        gathered.total.add(received.tensors, counted[0].weight)
