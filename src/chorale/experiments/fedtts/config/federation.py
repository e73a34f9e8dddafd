"""Who takes part in a federation, what is sent, how it is added up, and what the network between them is like."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from chorale.core.config import Config


class PartitionConfig(Config):
    """Which utterances are whose."""

    kind: Literal["iid", "chapter", "size-skew", "speaker", "dirichlet"] = "iid"
    """``iid``: dealt out at random; ``chapter``: whole chapters or recording sessions; ``size-skew``: log-normal
    sizes; ``speaker``: one speaker or a part of one's utterances; ``dirichlet``: shares of chapters or speakers."""
    sigma: float = Field(1.0, gt=0)
    """Of ``size-skew``: deviation of the logarithm of a client's size."""
    alpha: float = Field(0.5, gt=0)
    """Of ``dirichlet``: small ones make clients differ more."""


class ParticipationConfig(Config):
    """Who takes part in a round."""

    per_round: int | None = Field(None, ge=1)
    """Clients asked in a round; all if not given."""
    drop_out: float = Field(0.0, ge=0, lt=1)
    """Chance that a client that was asked, and has downloaded, never answers."""
    deadline_s: float | None = Field(None, gt=0)
    """Simulated seconds after which an answer no longer counts; waits for all if not given."""
    late_share: float = Field(0.0, ge=0, lt=1)
    """Share of the clients that join late."""
    late_round: int = Field(1, ge=1)
    """Round from which on they may be asked."""
    lost_rank: Literal["stop", "drop"] = "stop"
    """What a rank that dies means: the run stops and can be gone on from, or its clients count as dropped."""


class StrategyConfig(Config):
    """How the server uses what clients send."""

    kind: Literal["fedavg", "fedavgm", "fedprox", "fedadam", "fedyogi", "fedadagrad", "scaffold"] = "fedavg"
    """McMahan 2017; Hsu 2019; Li 2020; Reddi 2021 (three); Karimireddy 2020."""
    rate: float = Field(1.0, gt=0)
    """The server's learning rate."""
    momentum: float = Field(0.9, ge=0, lt=1)
    """Of ``fedavgm``; beta 1 of the adaptive ones."""
    beta2: float = Field(0.99, ge=0, lt=1)
    """Of ``fedadam`` and ``fedyogi``."""
    tau: float = Field(1e-3, gt=0)
    """How much the adaptive ones adapt: smaller is more."""
    mu: float = Field(0.01, ge=0)
    """Of ``fedprox``: weight of the proximal term."""
    weights: Literal["frames", "uniform"] = "frames"
    """A client counts by its mel frames, or all count alike."""


class CodecConfig(Config):
    """How tensors are sent in one direction."""

    kind: Literal["none", "fp16", "bf16", "int8", "top-k"] = "none"
    """``int8`` has a scale per output channel; ``top-k`` sends the largest values and keeps the rest for later."""
    share: float = Field(0.1, gt=0, le=1)
    """Of ``top-k``: values sent."""
    error_feedback: bool = True
    """Uplink: what a lossy codec left out is added to the client's next update."""
    lossless: bool = False
    """zstd on top."""


class PrivacyConfig(Config):
    """Secure aggregation and differential privacy."""

    secure_aggregation: bool = False
    """The server sees only sums: pairwise masks that cancel (Bonawitz et al. 2017)."""
    threshold: float = Field(0.6, gt=0, le=1)
    """Share of a round's clients whose shares recover the masks of those that dropped out."""
    dp: Literal["none", "central", "local"] = "none"
    """Noise added by the server to the sum, or by each client to its own update."""
    clip_norm: float = Field(1.0, gt=0)
    """Updates are scaled down to this L2 norm before noise."""
    noise: float = Field(0.0, ge=0)
    """Noise multiplier: standard deviation divided by ``clip_norm``."""
    delta: float = Field(1e-5, gt=0, lt=1)
    """At which the accountant states epsilon."""


class LinkConfig(Config):
    """A simulated network. ``lan``, ``broadband`` and ``mobile`` are profiles; ``custom`` takes the values given."""

    profile: Literal["lan", "broadband", "mobile", "custom"] = "broadband"
    """Which."""
    down_mbit: float = Field(100.0, gt=0)
    """``custom``: towards the client, 10^6 bits per second."""
    up_mbit: float = Field(20.0, gt=0)
    """``custom``: towards the server."""
    latency_ms: float = Field(20.0, ge=0)
    """``custom``: of a message, each way."""
    server_mbit: float | None = Field(None, gt=0)
    """``custom``: what the server's own link carries for all clients together; no limit if not given."""
    frames_per_s: float = Field(2000.0, gt=0)
    """Mel frames that the median client trains on in a second, at full depth: simulated, and the same on every host."""
    speed_spread: float = Field(0.3, ge=0)
    """Deviation of the logarithm of clients' speeds, computing and sending alike."""


class FederationConfig(Config):
    """A federation."""

    clients: int = Field(8, ge=1)
    """Logical clients, however many MPI ranks (``where.ranks``) carry them; rank 0 is the server besides."""
    rounds: int = Field(50, ge=1)
    """Rounds."""
    partition: PartitionConfig = PartitionConfig()
    """Which utterances are whose."""
    participation: ParticipationConfig = ParticipationConfig()
    """Who takes part."""
    strategy: StrategyConfig = StrategyConfig()
    """How updates are used."""
    down: CodecConfig = CodecConfig()
    """Towards clients."""
    up: CodecConfig = CodecConfig()
    """Towards the server."""
    client_cache: bool = True
    """Clients keep what they have downloaded, and are sent only tensors that have changed since."""
    aggregate_in_rank: bool = True
    """A rank adds its clients' updates up before it sends. Changes no result, and sends fewer bytes."""
    fraction_bits: int = Field(30, ge=8, le=48)
    """Updates become integers of 2^-bits before any sum, so that no order of adding changes a bit."""
    privacy: PrivacyConfig = PrivacyConfig()
    """Secure aggregation, differential privacy."""
    link: LinkConfig = LinkConfig()
    """The simulated network."""
    evaluate_every: int = Field(5, ge=1)
    """Rounds between two validations by the server."""
    train: bool = True
    """Without, clients send noise of the same size: to measure communication alone."""
    reduction: int = Field(2, ge=1)
    """Mel frames per decoder step."""

    @model_validator(mode="after")
    def _fits(self) -> FederationConfig:
        per_round = self.participation.per_round
        if per_round is not None and per_round > self.clients:
            raise ValueError(f"participation.per_round {per_round} is above clients {self.clients}")
        if self.privacy.secure_aggregation and self.up.kind not in ("none", "fp16", "bf16"):
            raise ValueError("privacy.secure_aggregation sends masked integers: up.kind none, fp16 or bf16 fits")
        if self.privacy.secure_aggregation and self.privacy.dp == "central" and self.up.kind != "none":
            raise ValueError("privacy.dp central: masked updates cannot be clipped after up.kind; set it to none")
        if self.privacy.dp != "none" and self.strategy.kind == "scaffold":
            raise ValueError("privacy.dp does not cover the control variates of strategy.kind scaffold")
        if self.privacy.dp != "none" and self.strategy.weights != "uniform":
            raise ValueError("privacy.dp bounds a client's share: set strategy.weights to uniform")
        return self
