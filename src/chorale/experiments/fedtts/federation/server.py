"""One round at the server: whom it asks, what it sends, how it adds up what comes back, and what it makes of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from chorale.core.logs import get_logger
from chorale.experiments.fedtts.config.federation import FederationConfig
from chorale.experiments.fedtts.federation.accounting import DROPPED, LATE, length, message_entries, relabelled
from chorale.experiments.fedtts.federation.gathering import Gathered, gather
from chorale.experiments.fedtts.federation.host import ClientHost, open_secure_round, weight_of
from chorale.experiments.fedtts.federation.ledger import Direction, Entry
from chorale.experiments.fedtts.federation.links import Work, compute_seconds, link_of, round_seconds, speed_of
from chorale.experiments.fedtts.federation.message import pack_parts
from chorale.experiments.fedtts.federation.order import Order, RankOrder
from chorale.experiments.fedtts.federation.participation import ask
from chorale.experiments.fedtts.federation.peers import Peers
from chorale.experiments.fedtts.federation.privacy.differential import central_std, noise
from chorale.experiments.fedtts.federation.privacy.secure import SecureRound, threshold_count
from chorale.experiments.fedtts.federation.scaffold import control_name, is_control, moved_controls
from chorale.experiments.fedtts.federation.server_line import ROUND, SERVER
from chorale.experiments.fedtts.federation.state import ServerState
from chorale.experiments.fedtts.federation.stopwatch import Stopwatch
from chorale.experiments.fedtts.federation.sums import RoundSum
from chorale.experiments.fedtts.federation.trainer import Schedule, Trainer
from chorale.experiments.fedtts.network.naming import Depth, layer_name, tensor_group

Array = NDArray[np.float32]
_log = get_logger(__name__)


class Server:
    """Does rounds.

    Args:
        config: Of the federation.
        trainer: For sizes and validation.
        schedule: Of network and learning rate.
        shapes: Of every tensor that can ever exist, control variates included.
        seed: Root of the draws.
        peers: The other ranks.
        host: The clients on the server's own rank.
        state: Where the federation stands.
    """

    def __init__(
        self,
        config: FederationConfig,
        trainer: Trainer,
        schedule: Schedule,
        shapes: Mapping[str, tuple[int, ...]],
        seed: int,
        peers: Peers,
        host: ClientHost,
        state: ServerState,
    ) -> None:
        self._config, self._trainer, self._schedule, self._shapes = config, trainer, schedule, shapes
        self._seed, self._peers, self._host, self.state = seed, peers, host, state
        self._link = link_of(config.link)
        self._sizes = trainer.sizes()
        self.stop = 0

    def round(self) -> dict[str, float]:
        """Do the next round, and return what is to be logged of it."""
        round_, codec = self.state.round, Stopwatch()
        transfers_s, waiting_s = self._peers.seconds, self._peers.waiting_s
        with codec:
            depth = self._grow(round_)
            asked = ask(self._config.participation, self._config.clients, round_, self._seed)
            present = [client for client in asked.clients if not self._peers.is_lost(client)]
            order = self._order(round_, depth, present)
            down_bytes = self._download(order, present, asked.dropped)
            tasks = self._tasks(order, down_bytes, asked.dropped)
            buffers = {rank: self._message(rank, task) for rank, task in tasks.items() if rank != SERVER}
        self._peers.send(buffers, "model")
        gathered = gather(self._config, tasks, self._host, self.state.published.values, self._peers, self._shapes)
        self.stop = gathered.stop
        with codec:
            self.state.simulated_s += self._finish(order, tasks[SERVER], gathered, down_bytes)
        self.state.round = round_ + 1
        answered, reported = len(gathered.answered), len(gathered.reports)
        return {
            **gathered.means(),
            "clients/answered": answered,
            "clients/late": reported - answered,
            "clients/dropped": len(asked.clients) - reported,
            "seconds/simulated": self.state.simulated_s,
            "depth/encoder": len(depth.encoder),
            "depth/decoder": len(depth.decoder),
            "time/compute": max(gathered.compute_s),
            "time/codec": codec.seconds + max(gathered.codec_s),
            "time/mpi": self._peers.seconds - transfers_s,
            "time/waiting": self._peers.waiting_s - waiting_s,
        }

    def evaluate(self) -> dict[str, float]:
        """Validate the global tensors, every layer that exists included."""
        model = {name: value for name, value in self.state.tensors.items() if not is_control(name)}
        self._peers.beat()
        values = self._trainer.evaluate(model, existing_depth(model))
        self._peers.beat()
        return {f"{name}/valid": float(value) for name, value in values.items()}

    def admit(self, new: Mapping[str, Array], version: int) -> None:
        """Take tensors into the global model that were not in it, with zero control variates, and publish them."""
        added = {name: np.asarray(value, np.float32) for name, value in new.items()}
        if self._config.strategy.kind == "scaffold":
            added |= {control_name(name): np.zeros_like(value) for name, value in added.items()}
        self.state.tensors |= added
        self.state.published.publish(added, version)

    def _tasks(self, order: Order, down_bytes: Mapping[int, int], dropped: Collection[int]) -> dict[int, RankOrder]:
        """Return what each rank is told."""
        secure = tuple(down_bytes) if self._config.privacy.secure_aggregation else ()
        shares: dict[int, dict[int, int]] = {rank: {} for rank in (SERVER, *self._peers.alive)}
        for client, size in down_bytes.items():
            if client not in dropped:
                shares[self._peers.owner(client)][client] = size
        return {rank: RankOrder(order, share, secure) for rank, share in shares.items()}

    def _grow(self, round_: int) -> Depth:
        depth = self._schedule.depth_at(round_)
        before = self._schedule.depth_at(round_ - 1) if round_ else depth
        if before != depth:
            model = {name: value for name, value in self.state.tensors.items() if not is_control(name)}
            grown = self._schedule.grow(model, before, depth)
            new = {name: value for name, value in grown.items() if name not in model}
            self.admit(new, round_)
        return depth

    def _order(self, round_: int, depth: Depth, present: Sequence[int]) -> Order:
        trainable = self._schedule.trainable_at(round_, depth)
        groups = tuple(dict.fromkeys(tensor_group(name) for name in self._shapes if name in trainable))
        total = sum(weight_of(self._config, self._sizes, client) for client in present)
        rate = self._schedule.rate_at(round_)
        # Control variates count once for each client, which may be more than clients weigh.
        order = Order(round_, depth, groups, rate, self._config.fraction_bits, max(total, len(present)))
        if {name for name in order.trained(self._shapes) if not is_control(name)} != trainable:
            raise ValueError(f"round {round_}: whole groups of tensors are trained, of layers that exist")
        return order

    def _download(self, order: Order, present: Sequence[int], dropped: Collection[int]) -> dict[int, int]:
        """Account for what each client downloads, and return its bytes."""
        names, facts = order.downloaded(self._shapes), order.facts()
        alike: dict[tuple[tuple[str, ...], tuple[str, ...]], list[int]] = {}
        for client in present:
            alike.setdefault(self.state.published.for_client(client, names), []).append(client)
        down_bytes: dict[int, int] = {}
        for (whole, differences), clients in alike.items():
            entries = message_entries(facts, self.state.published.encoded(whole, differences), "model")
            down_bytes |= dict.fromkeys(clients, length(entries))
            for absent, of_kind in ((False, entries), (True, relabelled(entries, DROPPED))):
                some = [client for client in clients if (client in dropped) == absent]
                if some:
                    self.state.record(some, "down", of_kind)
        return {client: down_bytes[client] for client in present}

    def _message(self, rank: int, task: RankOrder) -> list[NDArray[np.uint8]]:
        names = task.order.downloaded(self._shapes) if task.clients else []
        return pack_parts(ROUND, task.facts(), self.state.published.for_rank(rank, names))

    def _finish(self, order: Order, task: RankOrder, gathered: Gathered, down_bytes: Mapping[int, int]) -> float:
        """Bring the global tensors and the ledger up to date, and return the simulated seconds of the round."""
        state, answered = self.state, gathered.answered
        for client, report in sorted(gathered.reports.items()):
            entries = relabelled(report.entries, LATE) if report.is_late else report.entries
            state.record([client], "up", entries)
        secure = open_secure_round(self._config, task, self._seed)
        extra = self._secure_bytes(secure, answered)
        if secure is not None and answered:
            needed = threshold_count(self._config.privacy.threshold, len(task.secure))
            if len(answered) < needed:
                _log.warning("round %d is void: %d clients answered, %d are needed", order.round, len(answered), needed)
                answered = ()
            else:
                gathered.total.unmask(secure, answered)
        if answered:
            self._step(order, gathered.total, len(answered))
        return self._seconds(order, task, gathered, down_bytes, extra)

    def _step(self, order: Order, total: RoundSum, answered: int) -> None:
        state, privacy = self.state, self._config.privacy
        means: Mapping[str, NDArray[np.float64]] = total.means()
        if privacy.dp == "central":
            deviation = central_std(privacy.noise, privacy.clip_norm, answered)
            plain = {name: mean.astype(np.float32) for name, mean in means.items()}
            noisy = noise(plain, deviation, self._seed, order.round)
            means = {name: value.astype(np.float64) for name, value in noisy.items()}
        new = state.strategy.step(state.tensors, means)
        new |= moved_controls(state.tensors, total.means(controls=True), answered, self._config.clients)
        state.tensors |= new
        state.published.publish(new, order.round + 1)

    def _secure_bytes(self, secure: SecureRound | None, answered: tuple[int, ...]) -> dict[tuple[int, Direction], int]:
        extra: dict[tuple[int, Direction], int] = {}
        for row in secure.message_bytes(answered) if secure is not None else ():
            self.state.record([row.client], row.direction, (Entry(row.kind, row.kind, 0, row.bytes, row.bytes),))
            extra[row.client, row.direction] = extra.get((row.client, row.direction), 0) + row.bytes
        return extra

    def _seconds(
        self,
        order: Order,
        task: RankOrder,
        gathered: Gathered,
        down_bytes: Mapping[int, int],
        extra: Mapping[tuple[int, Direction], int],
    ) -> float:
        """Return how long the round takes in simulated time: until the last answer, or the deadline if one is missing.

        That a client has dropped out is known at once where there is no deadline (our choice).
        """
        link, cost = self._config.link, self._schedule.cost_at(order.depth)
        works = []
        for client in gathered.answered:
            report, speed = gathered.reports[client], speed_of(link, self._seed, client)
            down = down_bytes[client] + extra.get((client, "down"), 0)
            up = length(report.entries) + extra.get((client, "up"), 0)
            works.append(Work(down, up, compute_seconds(link, report.frames, speed, cost), speed))
        seconds = round_seconds(self._link, works)
        deadline_s = self._config.participation.deadline_s
        if deadline_s is not None and len(works) < len(down_bytes):
            return max(seconds, deadline_s)
        return seconds


def existing_depth(names: Iterable[str]) -> Depth:
    """Return the layers of which there are tensors."""
    layers: dict[str, set[int]] = {"encoder": set(), "decoder": set()}
    for found in filter(None, map(layer_name, names)):
        layers[found.stack].add(found.layer)
    return Depth(tuple(sorted(layers["encoder"])), tuple(sorted(layers["decoder"])))
