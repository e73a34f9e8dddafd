"""The whole configuration of the experiment."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from chorale.core.config import Config
from chorale.experiments.fedtts.config.comparison import ComparisonConfig
from chorale.experiments.fedtts.config.federation import FederationConfig, ParticipationConfig
from chorale.experiments.fedtts.config.network import GrowthConfig, LossConfig, NetworkConfig
from chorale.experiments.fedtts.config.speech import MelConfig, TextConfig, TranscriptsConfig
from chorale.experiments.fedtts.config.training import LocalConfig, RecipeConfig
from chorale.ranks.config import BackendConfig
from chorale.runs.contract import ExperimentConfig
from chorale.training.config import CheckpointConfig


class SynthesisConfig(Config):
    """Free-running synthesis and what is measured of it."""

    utterances: int = Field(4, ge=1)
    """Held-out utterances that are spoken and measured."""
    griffin_lim_iterations: int = Field(60, ge=1)
    """Of the vocoder (Griffin and Lim 1984)."""
    max_ratio: float = Field(3.0, gt=1)
    """Speaking stops at so many times the recording's length if no stop token comes."""
    stop_threshold: float = Field(0.5, gt=0, lt=1)
    """Probability of the stop token at which speaking stops."""


class FedttsConfig(ExperimentConfig):
    """A Transformer-TTS, trained centrally or by a federation."""

    experiment: Literal["fedtts"] = "fedtts"
    """The experiment's name."""
    mode: Literal["central", "federated", "comparison"] = "federated"
    """Who trains; ``comparison``: both, in several ways, to be compared."""
    corpus: TranscriptsConfig = TranscriptsConfig()
    """The recordings."""
    data_seed: int = Field(0, ge=0)
    """Root of the partition's draws, apart from ``seed``: runs with other seeds share their clients."""
    text: TextConfig = TextConfig()
    """Symbols."""
    mel: MelConfig = MelConfig()
    """The mel spectrogram."""
    shard_utterances: int = Field(200, ge=1)
    """Utterances per shard of the feature store; one shard is one array task."""
    network: NetworkConfig = NetworkConfig()
    """The Transformer-TTS."""
    loss: LossConfig = LossConfig()
    """What training minimises."""
    growth: GrowthConfig = GrowthConfig()
    """The dynamic transformer."""
    recipe: RecipeConfig = RecipeConfig()
    """Central training."""
    backend: BackendConfig = BackendConfig()
    """How ranks train centrally together."""
    local: LocalConfig = LocalConfig()
    """What a client does in a round."""
    federation: FederationConfig = FederationConfig()
    """The federation."""
    comparison: ComparisonConfig = ComparisonConfig()
    """The comparison."""
    checkpoint: CheckpointConfig = CheckpointConfig()
    """When a training is saved; ``every_steps`` counts rounds in a federation. Changes no result."""
    synthesis: SynthesisConfig = SynthesisConfig()
    """What is spoken at the end."""

    @model_validator(mode="after")
    def _fits(self) -> FedttsConfig:
        factors = [stage.factor for stage in self.recipe.reduction]
        wanted = max(factors) if self.mode == "central" else self.federation.reduction
        if wanted > self.network.reduction:
            raise ValueError(f"network.reduction {self.network.reduction} has no room for a factor of {wanted}")
        if self.mode == "federated" and self.where.ranks > self.federation.clients:
            raise ValueError(f"where.ranks {self.where.ranks} is above {self.federation.clients} clients")
        depth = min(self.network.encoder_layers, self.network.decoder_layers)
        if self.growth.kind == "grow" and self.growth.first_layers > depth:
            raise ValueError(f"growth.first_layers {self.growth.first_layers} is above the network's depth of {depth}")
        if self.mode == "central" and self.growth.kind != "none":
            raise ValueError("growth is of a federation: set mode to federated, or growth.kind to none")
        if self.loss.guide == "labels" and (self.corpus.layout != "festvox-ru" or self.text.units != "labels"):
            raise ValueError("loss.guide: labels needs corpus.layout festvox-ru and text.units labels")
        return self

    @model_validator(mode="after")
    def _can_be_compared(self) -> FedttsConfig:
        if self.mode != "comparison":
            return self
        local = self.local
        if self.growth.kind != "grow":
            raise ValueError("growth.kind: a comparison needs grow; its other arms are derived from it")
        if local.steps is None or local.rate_decay != "inverse-sqrt" or local.warmup_rounds < 1:
            raise ValueError(
                "local: a comparison needs steps, rate_decay inverse-sqrt and warmup_rounds from 1 on, "
                "so that central training can go the same way"
            )
        if self.federation.participation != ParticipationConfig():
            raise ValueError("federation.participation: in a comparison every client takes part in every round")
        if self.corpus.held_out == 0:
            raise ValueError("corpus.held_out: a comparison needs utterances that nobody trains on")
        return self
