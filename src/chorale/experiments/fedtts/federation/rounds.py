"""The federation's loop: round, log, validate, save, agree on a stop, go on exactly."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chorale.core.progress import Progress
from chorale.experiments.fedtts.config.federation import FederationConfig
from chorale.experiments.fedtts.federation.host import ClientHost
from chorale.experiments.fedtts.federation.ledger import Ledger
from chorale.experiments.fedtts.federation.peers import Peers
from chorale.experiments.fedtts.federation.published import Published
from chorale.experiments.fedtts.federation.rank import RankSide, Verdict
from chorale.experiments.fedtts.federation.saving import RoundSaver
from chorale.experiments.fedtts.federation.scaffold import control_name, is_control
from chorale.experiments.fedtts.federation.server import Server
from chorale.experiments.fedtts.federation.server_channel import ServerChannel
from chorale.experiments.fedtts.federation.server_line import SERVER, ServerLine
from chorale.experiments.fedtts.federation.state import ServerState
from chorale.experiments.fedtts.federation.strategies import make_strategy
from chorale.experiments.fedtts.federation.trainer import Schedule, Tensors, Trainer
from chorale.ranks.channel import Channel, Counters
from chorale.runs.context import Context
from chorale.runs.stopping import StopFlag, StoppedError, StopReason
from chorale.training.config import CheckpointConfig
from chorale.training.lead import SignalLead

_REASONS: tuple[StopReason, ...] = ("preempted", "time-limit")


@dataclass(frozen=True)
class Federation:
    """All that a federation's rounds need; the same on every rank.

    Attributes:
        config: Of the federation.
        checkpoint: When it is saved; ``every_steps`` counts rounds.
        seed: Root of the draws.
        trainer: Trains clients and validates.
        schedule: How network and learning rate change.
        shapes: Of every tensor of the network at full depth, by name, in the order in which they are sent.
        initial: The global tensors of round 0.
    """

    config: FederationConfig
    checkpoint: CheckpointConfig
    seed: int
    trainer: Trainer
    schedule: Schedule
    shapes: Mapping[str, tuple[int, ...]]
    initial: Tensors


@dataclass(frozen=True)
class Federated:
    """A federation that has come to its end.

    Attributes:
        tensors: The global tensors.
        ledger: What has crossed.
        metrics: What was logged last; empty if nothing was left to do.
        simulated_s: Simulated seconds.
    """

    tensors: dict[str, NDArray[np.float32]]
    ledger: Ledger
    metrics: dict[str, float]
    simulated_s: float


def run_rounds(federation: Federation, context: Context, channel: Channel | None = None) -> Federated | None:
    """Do a federation's rounds from the newest checkpoint, or from the beginning; called on ALL ranks.

    Interrupted anywhere and taken up by any number of ranks, it ends with the same tensors, the same metrics (but for
    those that are measured times: ``time/``, ``checkpoint/``), and the same logical rows in the ledger as if it had
    never stopped; taken up by as many ranks, with the same physical rows too. With ``lost_rank: drop`` nothing but
    messages between two ranks is used after the start, so that the rest can go on without a rank; messages about saving
    are then in the ledger as well.

    Args:
        federation: What is done; equal on every rank.
        context: Of the stage: ranks, events, checkpoints, the flag to stop.
        channel: Between the ranks; made of ``context.ranks`` if not given.

    Returns:
        On the server's rank, how it ended; None on the others.

    Raises:
        StoppedError: It was asked to stop and has saved itself.
        LostRankError: A rank is lost, and ``lost_rank`` is ``stop``.
        WorkError: An update is not finite, a message is damaged, or the ledger does not agree with MPI.
    """
    if channel is None:
        kind = ServerChannel if context.ranks.rank == SERVER else Channel
        channel = kind(context.ranks, context.where.timeout_s)
    loop = _Loop(federation, context, channel)
    ended: Federated | None = None
    with channel.watched():
        if channel.rank == SERVER:
            ended = loop.serve()
        else:
            loop.follow()
    if loop.stopped:
        raise StoppedError(f"stopped and saved after round {loop.rounds} of {federation.config.rounds}")
    return ended


class _Loop:
    """Both sides of the loop, on one rank."""

    def __init__(self, federation: Federation, context: Context, channel: Channel) -> None:
        config = federation.config
        self.federation, self.context, self.channel, self.config = federation, context, channel, config
        self.shapes = dict(federation.shapes)
        if config.strategy.kind == "scaffold":
            self.shapes |= {control_name(name): shape for name, shape in federation.shapes.items()}
        self.host = ClientHost(config, federation.trainer, federation.schedule, tuple(self.shapes), federation.seed)
        self.saver = RoundSaver(federation.checkpoint, context, self.host, config.clients)
        self.lead = SignalLead()
        self.apart = config.participation.lost_rank == "drop" and channel.size > 1
        self.stopped = False
        self.rounds = 0

    def fresh(self) -> ServerState:
        """Return the state before the first round."""
        config = self.config
        published = Published(tuple(self.shapes), config.down, config.clients, self.channel.size, config.client_cache)
        return ServerState({}, make_strategy(config.strategy), published)

    def serve(self) -> Federated:
        """Be the server."""
        config, channel, federation, state = self.config, self.channel, self.federation, self.fresh()
        peers = Peers(channel, config.clients, config.participation.lost_rank)
        server = Server(
            config, federation.trainer, federation.schedule, self.shapes, federation.seed, peers, self.host, state
        )
        if not self.saver.resume(state):
            server.admit(federation.initial, 0)
        first, metrics = state.round, {}
        self.context.log_all(first, {"attempt/first_step": first})
        with Progress("federation", config.rounds, " rounds") as progress:
            progress.update(first)
            while state.round < config.rounds and not self.stopped:
                metrics = self._round(server, peers)
                self.rounds = state.round
                progress.update(state.round, " ".join(_noted(metrics)))
        if self.stopped:
            self.context.log_all(state.round, {"attempt/last_step": state.round})
        else:
            counters = {SERVER: channel.counters()} if self.apart else dict(enumerate(self._all_counters()))
            state.ledger.check(counters, first)
        if peers.any_lost:
            # The processes' end is not to look like a failure: the work was done without the lost ones.
            channel.exit_status = 0
        model = {name: value for name, value in state.tensors.items() if not is_control(name)}
        return Federated(model, state.ledger, metrics, state.simulated_s)

    def _round(self, server: Server, peers: Peers) -> dict[str, float]:
        state, config = server.state, self.config
        began = time.monotonic()
        metrics = server.round()
        at_end = state.round == config.rounds
        valid = server.evaluate() if at_end or state.round % config.evaluate_every == 0 else {}
        stop = 0 if at_end else max(server.stop, _stop_code(self.context.stop))
        to_save = at_end or stop > 0 or self.saver.due(state.round)
        verdict = Verdict(to_save and not self.apart, to_save and self.apart, stop, at_end)
        peers.send(dict.fromkeys(peers.alive, verdict.pack()), "verdict")
        peers.account(state.ledger, state.round - 1)
        sizes = {f"bytes/{direction}": float(size) for direction, size in state.bytes.items()}
        metrics = {**metrics, **valid, **sizes}
        self.context.log_all(state.round, metrics)
        saving = time.monotonic()
        if verdict.save:
            self.saver.save(state.round, state, valid)
        elif verdict.save_apart:
            self.saver.save_apart(state, valid, peers)
            peers.account(state.ledger, state.round - 1)
        if to_save:
            self.context.log_all(state.round, {"checkpoint/seconds": time.monotonic() - saving})
        # A signal is heeded at a round's end: all of a round may lie between it and the save.
        self.lead.compare(time.monotonic() - began, "a round with its checkpoint", "train fewer steps in a round")
        self._heed(verdict)
        return metrics

    def follow(self) -> None:
        """Be one of the other ranks."""
        line, state = ServerLine(self.channel), self.fresh()
        self.saver.resume(state)
        self.rounds = state.round
        side = RankSide(self.config, self.shapes, line, self.host, state.published.copy_of(self.channel.rank))
        # Of what the server has saved, the rank keeps its own copy alone.
        del state
        while self.rounds < self.config.rounds and not self.stopped:
            verdict = side.round(lambda: _stop_code(self.context.stop))
            self.rounds += 1
            if verdict.save:
                self.saver.save(self.rounds, None, {})
            elif verdict.save_apart:
                self.saver.write_apart(line)
            self._heed(verdict)
        if not self.stopped and not self.apart:
            self._all_counters()

    def _all_counters(self) -> list[Counters]:
        """Return what each rank has sent and received; a collective."""
        return self.context.ranks.gather(self.channel.counters())

    def _heed(self, verdict: Verdict) -> None:
        """Do as the server says."""
        if verdict.stop:
            self.context.stop.set(_REASONS[verdict.stop - 1])
            self.stopped = True


def _stop_code(flag: StopFlag) -> int:
    """Return 0, or which of the reasons there is to stop."""
    return 1 + _REASONS.index(flag.reason) if flag else 0


def _noted(metrics: Mapping[str, float]) -> list[str]:
    return [f"{name} {metrics[name]:.4g}" for name in ("loss/train", "loss/valid") if name in metrics]
