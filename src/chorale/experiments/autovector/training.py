"""Training one network from scratch: a plain loop in which every draw is keyed by (seed, step, sample)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from chorale.core.errors import WorkError
from chorale.core.seeds import seed_for
from chorale.experiments.autovector.architecture import Architecture
from chorale.experiments.autovector.config import RecipeConfig
from chorale.experiments.autovector.losses import AdditiveAngularMargin, SoftmaxLoss
from chorale.experiments.autovector.network import SpeakerNetwork

Features = Sequence[NDArray[np.float32]]
"""One array ``(frames, n_features)`` per utterance, read when it is asked for."""
Log = Callable[[int, Mapping[str, float]], None]


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

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Return chunks ``(batch, time, n_features)`` and their speakers ``(batch,)`` for one step."""
        shortest, longest = self.recipe.chunk_frames
        frames = Random(seed_for(self.seed, "chunk-frames", step)).randint(shortest, longest)
        chunks, speakers = [], []
        for sample in range(self.recipe.batch):
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


def build(sizes: Architecture, n_speakers: int, recipe: RecipeConfig, seed: int) -> tuple[SpeakerNetwork, nn.Module]:
    """Return the network and the loss with its classifier, with weights that depend on ``seed`` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(seed, "weights"))
        network = SpeakerNetwork(sizes)
        if recipe.loss == "softmax":
            return network, SoftmaxLoss(sizes.embedding, n_speakers)
        return network, AdditiveAngularMargin(sizes.embedding, n_speakers, recipe.margin, recipe.scale)


def train(network: SpeakerNetwork, loss: nn.Module, sampler: ChunkSampler, device: torch.device, log: Log) -> float:
    """Train ``network`` in place and return the mean loss of the last logged interval.

    Args:
        network: From :func:`build`.
        loss: Likewise.
        sampler: Where batches come from; its recipe says how many.
        device: Where to compute.
        log: Called with (step, metrics) at every interval.

    Raises:
        WorkError: The loss is not finite any more; the message names the step.
    """
    recipe = sampler.recipe
    network.to(device).train()
    loss.to(device).train()
    optimizer = _optimizer([*network.parameters(), *loss.parameters()], recipe)
    recent: list[float] = []
    mean_loss = math.nan
    for step in range(recipe.steps):
        rate = learning_rate(recipe, step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        chunks, speakers = sampler.batch(step)
        value: Tensor = loss(network(chunks.to(device)), speakers.to(device))
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(value)
        optimizer.step()
        recent.append(float(value.detach()))
        if not math.isfinite(recent[-1]):
            raise WorkError(f"the loss is {recent[-1]} at step {step + 1} of {recipe.steps}")
        if (step + 1) % recipe.log_every == 0 or step + 1 == recipe.steps:
            mean_loss = sum(recent) / len(recent)
            log(step + 1, {"loss": mean_loss, "rate": rate})
            recent.clear()
    return mean_loss


def _optimizer(parameters: list[nn.Parameter], recipe: RecipeConfig) -> torch.optim.Optimizer:
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            parameters, lr=recipe.rate, momentum=recipe.momentum, nesterov=True, weight_decay=recipe.weight_decay
        )
    return torch.optim.AdamW(parameters, lr=recipe.rate, weight_decay=recipe.weight_decay)
