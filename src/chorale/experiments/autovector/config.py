"""The configuration of a speaker network search. No heavy imports: the command line loads this."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from chorale.core.config import Config
from chorale.data.corpora.config import SpeakerCorpusConfig, SplitConfig, TrialConfig
from chorale.experiments.autovector.search import SearchConfig
from chorale.experiments.autovector.space import SpaceConfig
from chorale.media.audio.config import FeatureConfig
from chorale.ranks.config import BackendConfig
from chorale.runs.contract import ExperimentConfig
from chorale.training.config import CheckpointConfig


class RecipeConfig(Config):
    """How one candidate is trained. Our choice, after wespeaker; the paper's recipe is not known."""

    loss: Literal["aam-softmax", "softmax"] = "aam-softmax"
    """Additive angular margin softmax, or cross-entropy after an affine layer."""
    margin: float = Field(0.2, ge=0, lt=1.5)
    """Margin of ``aam-softmax``, radians."""
    scale: float = Field(30.0, gt=0)
    """Scale of ``aam-softmax``."""
    steps: int = Field(2000, ge=1)
    """Steps of the optimizer: the fidelity at which candidates are compared."""
    batch: int = Field(64, ge=2)
    """Chunks per step."""
    chunk_frames: tuple[int, int] = (200, 400)
    """Shortest and longest chunk, frames of 10 ms; each step draws one length."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    """``sgd`` has Nesterov momentum."""
    rate: float = Field(1e-3, gt=0)
    """Highest learning rate, reached after the warm-up."""
    final_rate: float = Field(1e-5, ge=0)
    """Learning rate at the last step, at the end of half a cosine."""
    warmup_steps: int = Field(100, ge=0)
    """Steps over which the rate rises from 0."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of the pooled values that training drops."""
    momentum: float = Field(0.9, ge=0, lt=1)
    """Of ``sgd``."""
    weight_decay: float = Field(1e-4, ge=0)
    """Of the optimizer."""
    log_every: int = Field(50, ge=1)
    """Steps between two logged losses, each the mean over them."""

    @model_validator(mode="after")
    def _rising_chunks(self) -> RecipeConfig:
        shortest, longest = self.chunk_frames
        if not 1 <= shortest <= longest:
            raise ValueError("chunk_frames: the shortest and the longest were expected, in this order, from 1 up")
        return self


class FinalistsConfig(Config):
    """How the x-vector, the best network found and the median random network are compared at the end."""

    seeds: int = Field(3, ge=3)
    """Trainings of each from scratch; a mean of fewer says little."""
    steps: int = Field(10000, ge=1)
    """Steps of each training; the rest of the recipe is the search's."""


class EvaluationConfig(Config):
    """How networks are scored and compared."""

    p_targets: tuple[float, ...] = (0.01, 0.05)
    """Priors of a target trial at which minDCF is reported, both costs being 1."""
    mac_frames: int = Field(200, ge=1)
    """Frames for which multiply-accumulates are stated (200 in wespeaker, 300 in EfficientTDNN)."""
    length_step: int = Field(10, ge=1)
    """Utterances are cut to multiples of so many frames for embedding, so that they can share a batch."""
    batch_frames: int = Field(20000, ge=1)
    """Frames embedded at once."""
    centring_utterances: int | None = Field(None, ge=2)
    """Training utterances whose mean embedding is subtracted, spread evenly; all if not given."""
    bootstrap: int = Field(1000, ge=100)
    """Draws of speakers for the interval of an error rate."""
    det_points: int = Field(200, ge=2)
    """Points of each DET curve in the report."""

    @model_validator(mode="after")
    def _priors(self) -> EvaluationConfig:
        if not all(0.0 < p < 1.0 for p in self.p_targets):
            raise ValueError("p_targets: priors between 0 and 1 were expected")
        return self


class AutovectorConfig(ExperimentConfig):
    """A search for speaker verification networks in the x-vector family."""

    experiment: Literal["autovector"] = "autovector"
    """The experiment's name."""
    corpus: SpeakerCorpusConfig = SpeakerCorpusConfig()
    """The recordings."""
    split: SplitConfig = SplitConfig()
    """Training, search-dev and test speakers."""
    trials: TrialConfig = TrialConfig()
    """Trials of search-dev and test."""
    data_seed: int = Field(0, ge=0)
    """Root of the draws of split and trials, apart from ``seed``: searches with other seeds share their speakers."""
    features: FeatureConfig = FeatureConfig()
    """What the networks see."""
    shard_utterances: int = Field(1000, ge=1)
    """Utterances per shard of the feature store; one shard is one array task."""
    memory_mb: int = Field(1024, ge=0)
    """Features that one process keeps in memory, so that it reads them once. Changes no result."""
    space: SpaceConfig = SpaceConfig()
    """The networks to choose from."""
    recipe: RecipeConfig = RecipeConfig()
    """How candidates are trained."""
    search: SearchConfig = SearchConfig()
    """How they are chosen."""
    backend: BackendConfig = BackendConfig()
    """How ranks train one network together where ``search.algorithm`` is ``none``; a candidate is one process."""
    checkpoint: CheckpointConfig = CheckpointConfig()
    """When trainings are saved. Changes no result."""
    finalists: FinalistsConfig = FinalistsConfig()
    """The comparison at the end."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """Scoring and metrics."""

    @model_validator(mode="after")
    def _backend_fits(self) -> AutovectorConfig:
        if self.search.algorithm != "none" and self.backend.kind != "single":
            raise ValueError("backend: a search trains each candidate in one process; set search.algorithm to none")
        if self.recipe.batch < self.backend.world_size:
            raise ValueError(f"recipe.batch: one sample for each of {self.backend.world_size} ranks was expected")
        return self
