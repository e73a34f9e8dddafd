"""Training one network: what the common loop does at each step, every draw keyed by (seed, step, sample)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from chorale.core.seeds import seed_for
from chorale.experiments.autovector.architecture import Architecture
from chorale.experiments.autovector.config import RecipeConfig
from chorale.experiments.autovector.losses import AdditiveAngularMargin, SoftmaxLoss
from chorale.experiments.autovector.network import SpeakerNetwork
from chorale.ranks.backends.base import make_engine
from chorale.ranks.config import BackendConfig
from chorale.ranks.group import Group
from chorale.training.dropout import place_samples
from chorale.training.task import slice_of

Features = Sequence[NDArray[np.float32]]
"""One array ``(frames, n_features)`` per utterance, read when it is asked for."""


class ChunkSampler:
    """Chunks for training: a speaker drawn uniformly, one of the speaker's utterances, and a place in it.

    Our choice: speakers, not utterances, are drawn uniformly, since package corpora hold very unequal amounts of
    each. An utterance shorter than the chunk is repeated, as wespeaker does.

    Args:
        features: Of every utterance.
        utterances: Indices into ``features`` for each training speaker.
        recipe: Batch and chunk lengths.
        seed: Root of the draws.
    """

    def __init__(
        self, features: Features, utterances: Sequence[Sequence[int]], recipe: RecipeConfig, seed: int
    ) -> None:
        self.features = features
        self.utterances = utterances
        self.recipe = recipe
        self.seed = seed

    def batch(self, step: int, samples: range | None = None) -> tuple[Tensor, Tensor]:
        """Return chunks ``(batch, time, n_features)`` and their speakers ``(batch,)`` for one step.

        Args:
            step: Steps done before.
            samples: Which samples of the step's batch; all if not given.
        """
        shortest, longest = self.recipe.chunk_frames
        frames = Random(seed_for(self.seed, "chunk-frames", step)).randint(shortest, longest)
        chunks, speakers = [], []
        for sample in range(self.recipe.batch) if samples is None else samples:
            random = Random(seed_for(self.seed, "chunk", step, sample))
            speaker = random.randrange(len(self.utterances))
            utterance = self.features[random.choice(self.utterances[speaker])]
            chunks.append(cut(utterance, frames, random))
            speakers.append(speaker)
        return torch.from_numpy(np.stack(chunks)), torch.tensor(speakers)


def cut(utterance: NDArray[np.float32], frames: int, random: Random) -> NDArray[np.float32]:
    """Return ``frames`` frames from a random place of ``(time, n_features)``, repeated from its start if too short."""
    length = len(utterance)
    if length >= frames:
        start = random.randrange(length - frames + 1)
        return utterance[start : start + frames]
    return utterance[(random.randrange(length) + np.arange(frames)) % length]


def learning_rate(recipe: RecipeConfig, step: int) -> float:
    """Return the rate at ``step``: a linear rise over the warm-up, then half a cosine to ``final_rate``."""
    if step < recipe.warmup_steps:
        return recipe.rate * (step + 1) / recipe.warmup_steps
    done = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
    return recipe.final_rate + 0.5 * (recipe.rate - recipe.final_rate) * (1.0 + math.cos(math.pi * done))


class SpeakerModel(nn.Module):
    """The network and the loss with its classifier, trained as one.

    Args:
        network: Chunks to embeddings.
        loss: Embeddings and speakers to a summed loss.
    """

    def __init__(self, network: SpeakerNetwork, loss: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.loss = loss

    def forward(self, chunks: Tensor, speakers: Tensor) -> Tensor:
        """Return the loss of ``chunks`` ``(batch, time, n_features)`` summed over the batch."""
        value: Tensor = self.loss(self.network(chunks), speakers)
        return value


def build(sizes: Architecture, n_speakers: int, recipe: RecipeConfig, seed: int) -> SpeakerModel:
    """Return the network and the loss with its classifier, with weights that depend on ``seed`` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(seed, "weights"))
        network = SpeakerNetwork(sizes, recipe.dropout)
        if recipe.loss == "softmax":
            return SpeakerModel(network, SoftmaxLoss(sizes.embedding, n_speakers))
        loss = AdditiveAngularMargin(sizes.embedding, n_speakers, recipe.margin, recipe.scale)
        return SpeakerModel(network, loss)


class SpeakerTask:
    """The training of one network, for the common loop.

    Args:
        model: From :func:`build`.
        sampler: Where batches come from; its recipe says how many.
        backend: How ranks compute together.
        group: The ranks.
        device: Where this rank computes.
    """

    def __init__(
        self, model: SpeakerModel, sampler: ChunkSampler, backend: BackendConfig, group: Group, device: torch.device
    ) -> None:
        recipe = sampler.recipe
        self.model = model
        self._sampler, self._device = sampler, device
        self._part = slice_of(recipe.batch, group.rank, group.size)
        place_samples(model, self._part.first)
        self.engine = make_engine(
            "network", model, lambda parameters: _optimizer(parameters, recipe), backend, group, device
        )
        self.engines = (self.engine,)

    def step(self, step: int) -> dict[str, float]:
        """Do one step on this rank's slice of the batch, and return its part of the mean loss."""
        engine = self.engine
        chunks, speakers = self._sampler.batch(step, self._part.samples)
        engine.module.train()
        engine.set_rate(learning_rate(self._sampler.recipe, step))
        engine.zero_grad()
        with engine.autocast():
            loss = engine.module(chunks.to(self._device), speakers.to(self._device)) / self._part.total
        engine.backward(loss)
        engine.step()
        return {"loss": float(loss.detach())}

    def gauges(self, step: int) -> dict[str, float]:
        """Return the learning rate of the last step."""
        return {"rate": learning_rate(self._sampler.recipe, step - 1)}

    def evaluate(self, step: int) -> dict[str, float]:
        """Return nothing: trials are scored once, after the training."""
        return {}

    def state(self) -> dict[str, Any]:
        """Return nothing: every draw is keyed by its step."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take nothing back."""


def _optimizer(parameters: Iterable[nn.Parameter], recipe: RecipeConfig) -> torch.optim.Optimizer:
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            parameters, lr=recipe.rate, momentum=recipe.momentum, nesterov=True, weight_decay=recipe.weight_decay
        )
    return torch.optim.AdamW(parameters, lr=recipe.rate, weight_decay=recipe.weight_decay)
