"""The clients that live on one rank: what each does in a round, and what each keeps between rounds."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from chorale.experiments.fedtts.config.federation import FederationConfig
from chorale.experiments.fedtts.federation.accounting import length, message_entries
from chorale.experiments.fedtts.federation.codecs import EncodedTensor, decode, encode, encode_integers
from chorale.experiments.fedtts.federation.feedback import ErrorFeedback
from chorale.experiments.fedtts.federation.links import Work, client_seconds, compute_seconds, link_of, speed_of
from chorale.experiments.fedtts.federation.order import RankOrder
from chorale.experiments.fedtts.federation.privacy.differential import clip, noise
from chorale.experiments.fedtts.federation.privacy.secure import SecureRound, threshold_count
from chorale.experiments.fedtts.federation.report import ClientReport
from chorale.experiments.fedtts.federation.scaffold import control_delta, control_name, correction, is_control
from chorale.experiments.fedtts.federation.sums import masked
from chorale.experiments.fedtts.federation.trainer import ClientResult, ClientWork, Schedule, Trainer
from chorale.ranks.buffers import Buffers

Array = NDArray[np.float32]
METRICS = "metrics"
"""Group and kind under which the numbers are counted that a client sends beside its update."""


@dataclass
class ClientState:
    """What a client keeps between rounds.

    Attributes:
        residuals: What its codec has left out so far.
        controls: SCAFFOLD's ``c_i``, by tensor.
    """

    residuals: dict[str, Array] = field(default_factory=dict)
    controls: dict[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What one client sends.

    Attributes:
        tensors: Its encoded update, control variates included; masked integers with secure aggregation.
        report: What else is known of it.
    """

    tensors: dict[str, EncodedTensor]
    report: ClientReport


def weight_of(config: FederationConfig, sizes: Sequence[int], client: int) -> int:
    """Return with which weight a client's update counts."""
    return int(sizes[client]) if config.strategy.weights == "frames" else 1


def open_secure_round(config: FederationConfig, order: RankOrder, seed: int) -> SecureRound | None:
    """Return the round's secure aggregation, the same on every rank; None without, or if nobody takes part."""
    if not order.secure:
        return None
    threshold = threshold_count(config.privacy.threshold, len(order.secure))
    return SecureRound(order.order.round, order.secure, threshold, seed)


class ClientHost:
    """Does the rounds' work of clients.

    Args:
        config: Of the federation.
        trainer: Trains a client.
        schedule: Of network and learning rate.
        names: Every tensor that can ever exist, control variates included.
        seed: Root of the draws.

    Attributes:
        memory: Where sums of its clients' answers lie, one round's after another's.
        states: What clients keep, by client; those that keep nothing have none.
        compute_s: Wall time of training in this round.
        codec_s: Wall time of encoding in this round.
    """

    def __init__(
        self, config: FederationConfig, trainer: Trainer, schedule: Schedule, names: Sequence[str], seed: int
    ) -> None:
        self._config, self._trainer, self._names, self._seed = config, trainer, tuple(names), seed
        self._schedule = schedule
        self._sizes = trainer.sizes()
        self._link = link_of(config.link)
        self.memory = Buffers()
        self.states: dict[int, ClientState] = {}
        self.compute_s = self.codec_s = 0.0

    def begin(self, task: RankOrder, copy: Mapping[str, Array]) -> None:
        """Begin a round.

        Args:
            task: The round.
            copy: Published tensors, all that the round's network needs.
        """
        order = task.order
        self._task = task
        self._model = {name: copy[name] for name in order.downloaded(self._names) if not is_control(name)}
        self._trained = [name for name in order.trained(self._names) if not is_control(name)]
        self._trainable = frozenset(self._trained)
        scaffold = self._config.strategy.kind == "scaffold"
        self._controls = {name: copy[control_name(name)] for name in self._trained} if scaffold else None
        self._secure = open_secure_round(self._config, task, self._seed)
        self.compute_s = self.codec_s = 0.0

    def answer(self, client: int) -> Answer:
        """Let one client do its round.

        A client whose answer comes too late is told so, and keeps the state that it had (our choice).
        """
        state = self.states.get(client, ClientState())
        result = self._train(client, state)
        self.compute_s += result.seconds
        began = time.perf_counter()
        feedback = ErrorFeedback(state.residuals)
        tensors, received = feedback.encode(self._private(client, result), self._config.up)
        controls = dict(state.controls)
        if self._controls is not None:
            change = control_delta(result.delta, self._controls, result.steps, self._task.order.rate)
            sent = encode({control_name(name): change[name] for name in self._trained}, self._config.up)
            arrived = decode(sent)
            # Server and client add what has arrived, so that c stays the mean of all c_i whatever the codec.
            for name in self._trained:
                step = arrived[control_name(name)]
                controls[name] = controls[name] + step if name in controls else step
            tensors, received = tensors | sent, received | arrived
        weight = weight_of(self._config, self._sizes, client)
        if self._secure is not None:
            order = self._task.order
            tensors = masked(self._secure, client, received, weight, order.fraction_bits, order.total_weight)
        report = self._report(client, weight, result, tensors)
        if not report.is_late and (feedback.residuals or controls):
            self.states[client] = ClientState(feedback.residuals, controls)
        self.codec_s += time.perf_counter() - began
        return Answer(tensors, report)

    def _train(self, client: int, state: ClientState) -> ClientResult:
        order, strategy = self._task.order, self._config.strategy
        corrected = None
        if self._controls is not None:
            corrected = correction(self._trained, self._controls, state.controls)
        mu = strategy.mu if strategy.kind == "fedprox" else 0.0
        work = ClientWork(client, order.round, self._model, order.depth, self._trainable, order.rate, mu, corrected)
        result = self._trainer.train(work)
        if result.delta.keys() != self._trainable:
            raise ValueError(f"client {client}: the trainer gave other tensors than it was asked to train")
        return result

    def _private(self, client: int, result: ClientResult) -> dict[str, Array]:
        delta = {name: np.asarray(result.delta[name], np.float32) for name in self._trained}
        privacy = self._config.privacy
        if privacy.dp == "none":
            return delta
        delta = clip(delta, privacy.clip_norm)
        if privacy.dp == "local":
            deviation = privacy.noise * privacy.clip_norm
            delta = noise(delta, deviation, self._seed, self._task.order.round, client)
        return delta

    def _report(
        self, client: int, weight: int, result: ClientResult, tensors: Mapping[str, EncodedTensor]
    ) -> ClientReport:
        order, link = self._task.order, self._config.link
        # Steps, frames, metrics, and the weight, which is masked with secure aggregation.
        numbers = np.zeros(2 + len(result.metrics) + (self._secure is None), np.int64)
        facts: dict[str, JsonValue] = {"round": order.round, "client": client}
        entries = message_entries(facts, {**tensors, **encode_integers({METRICS: numbers})}, "update")
        speed = speed_of(link, self._seed, client)
        compute_s = compute_seconds(link, result.frames, speed, self._schedule.cost_at(order.depth))
        work = Work(self._task.clients[client], length(entries), compute_s, speed)
        seconds = client_seconds(self._link, work).total
        deadline_s = self._config.participation.deadline_s
        is_late = deadline_s is not None and seconds > deadline_s
        return ClientReport(client, weight, result.frames, result.steps, seconds, is_late, result.metrics, entries)
