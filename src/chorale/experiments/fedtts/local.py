"""What a federated client does in a round: some steps on its own utterances, from the tensors that it was sent."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from chorale.core.errors import WorkError
from chorale.core.seeds import seed_for
from chorale.experiments.fedtts.config import FedttsConfig
from chorale.experiments.fedtts.config.network import LossConfig
from chorale.experiments.fedtts.config.training import LocalConfig
from chorale.experiments.fedtts.corpus.batch import collate
from chorale.experiments.fedtts.corpus.speech_data import Entry
from chorale.experiments.fedtts.federation.trainer import ClientResult, ClientWork, Tensors
from chorale.experiments.fedtts.network.losses import denominators, speech_losses, total_loss
from chorale.experiments.fedtts.network.naming import Depth
from chorale.experiments.fedtts.network.transformer import TransformerTts
from chorale.experiments.fedtts.sampling import BatchSampler, batches_by_length
from chorale.experiments.fedtts.training import ADAM_BETAS, ADAM_EPSILON, SpeechSource
from chorale.ranks.device import set_threads

_CPU = torch.device("cpu")


class LocalTrainer:
    """Trains clients on this rank, each a function of its work alone.

    torch computes with one thread, since sums on a CPU depend on how they are split between threads.

    Args:
        data: The utterances of all clients, and those of the validation.
        config: Network, losses, what a client does in a round.
        clients: Each client's utterances; may be empty.
        seed: Root of the draws.
        device: Where to compute.
    """

    def __init__(
        self,
        data: SpeechSource,
        config: FedttsConfig,
        clients: Sequence[Sequence[Entry]],
        seed: int,
        device: torch.device = _CPU,
    ) -> None:
        set_threads(1)
        self._data, self._config, self._clients, self._seed = data, config, clients, seed
        self._device = device
        self._network: TransformerTts | None = None

    def sizes(self) -> list[int]:
        """Return each client's mel frames."""
        return [sum(entry.frames for entry in entries) for entries in self._clients]

    def train(self, work: ClientWork) -> ClientResult:
        """Train one client from ``work.tensors``, with a new optimizer.

        Raises:
            WorkError: The client has no utterances, or its loss is not finite.
        """
        began = time.perf_counter()
        entries, local = self._clients[work.client], self._config.local
        if not entries:
            raise WorkError(f"client {work.client} has no utterances to train on")
        network = self._loaded(work.tensors, work.depth).train()
        trained = _restrict(network, work.trainable)
        start = {name: parameter.detach().clone() for name, parameter in trained.items()}
        corrections = {} if work.correction is None else self._on_device(work.correction, trained)
        optimizer = _optimizer(trained.values(), local, work.rate)
        key = seed_for(self._seed, "client", work.round, work.client)
        random.seed(key)
        torch.manual_seed(key)
        sampler = BatchSampler([entry.frames for entry in entries], local.batch, key)
        steps = local.steps or local.epochs * sampler.batches_per_epoch
        sums: dict[str, float] = {}
        frames = 0
        for step in range(steps):
            batch = [entries[index] for index in sampler.batch(step)]
            optimizer.zero_grad(set_to_none=True)
            values = self._backward(network, batch)
            if not math.isfinite(values["loss"]):
                raise WorkError(
                    f"the loss of client {work.client} is {values['loss']} at step {step} of round {work.round}"
                )
            _correct(trained, start, work.mu, corrections)
            if local.clip_norm is not None:
                nn.utils.clip_grad_norm_(trained.values(), local.clip_norm)
            optimizer.step()
            frames += sum(entry.frames for entry in batch)
            for name, value in values.items():
                sums[name] = sums.get(name, 0.0) + value
        delta = {name: _array(parameter.detach() - start[name]) for name, parameter in trained.items()}
        return ClientResult(delta, frames, sums, steps, time.perf_counter() - began)

    def evaluate(self, tensors: Tensors, depth: Depth) -> dict[str, float]:
        """Return the teacher-forced losses of the validation utterances; nothing if there are none."""
        entries, reduction = self._data.valid, self._config.federation.reduction
        if not entries:
            return {}
        network = self._loaded(tensors, depth).eval()
        sums: dict[str, float] = {}
        for indices in batches_by_length([entry.frames for entry in entries], self._config.local.batch):
            with torch.no_grad():
                found = self._sums(network, [entries[index] for index in indices])
            for name, value in found.items():
                sums[name] = sums.get(name, 0.0) + float(value)
        divisors = _denominators(entries, reduction, self._config.loss)
        means = {name: value / divisors[name] for name, value in sums.items()}
        return {"loss": total_loss(means, self._config.loss), **means}

    def _backward(self, network: TransformerTts, entries: Sequence[Entry]) -> dict[str, float]:
        divisors = _denominators(entries, self._config.federation.reduction, self._config.loss)
        means = {name: value / divisors[name] for name, value in self._sums(network, entries).items()}
        loss = total_loss(means, self._config.loss)
        torch.autograd.backward(loss)
        return {"loss": float(loss.detach()), **{name: float(value.detach()) for name, value in means.items()}}

    def _sums(self, network: TransformerTts, entries: Iterable[Entry]) -> dict[str, Tensor]:
        reduction = self._config.federation.reduction
        batch = collate([self._data.sample(entry) for entry in entries], reduction).to(self._device)
        return speech_losses(network(batch, reduction), batch, reduction, self._config.loss)

    def _loaded(self, tensors: Tensors, depth: Depth) -> TransformerTts:
        if self._network is None or self._network.depth != depth:
            with torch.device("meta"):
                network = TransformerTts(self._config.network, self._data.n_symbols, self._config.mel.n_mels, depth)
            self._network = network.to_empty(device=self._device)
        with torch.no_grad():
            for name, parameter in self._network.named_parameters():
                parameter.copy_(_tensor(tensors[name]))
        return self._network

    def _on_device(self, tensors: Tensors, names: Iterable[str]) -> dict[str, Tensor]:
        return {name: _tensor(tensors[name]).to(self._device) for name in names}


def _restrict(network: nn.Module, trainable: frozenset[str]) -> dict[str, nn.Parameter]:
    for name, parameter in network.named_parameters():
        parameter.grad = None
        parameter.requires_grad_(name in trainable)
    return {name: parameter for name, parameter in network.named_parameters() if name in trainable}


def _correct(
    trained: Mapping[str, nn.Parameter], start: Mapping[str, Tensor], mu: float, corrections: Mapping[str, Tensor]
) -> None:
    """Add the gradient of ``mu / 2 |x - x_0|^2`` (Li et al. 2020, algorithm 2) and SCAFFOLD's ``c - c_i``."""
    for name, parameter in trained.items():
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        if mu:
            parameter.grad.add_(parameter.detach() - start[name], alpha=mu)
        if name in corrections:
            parameter.grad.add_(corrections[name])


def _optimizer(parameters: Iterable[nn.Parameter], local: LocalConfig, rate: float) -> torch.optim.Optimizer:
    if local.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=rate)
    return torch.optim.Adam(parameters, lr=rate, betas=ADAM_BETAS, eps=ADAM_EPSILON)


def _denominators(entries: Sequence[Entry], reduction: int, config: LossConfig) -> dict[str, float]:
    frames, symbols = [entry.frames for entry in entries], [len(entry.symbols) for entry in entries]
    return denominators(frames, symbols, reduction, config)


def _tensor(array: NDArray[np.float32]) -> Tensor:
    """Share an array's memory with a tensor; arrays that may not be written, which torch warns of, are copied."""
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


def _array(tensor: Tensor) -> NDArray[np.float32]:
    result: NDArray[np.float32] = tensor.cpu().numpy()
    return result
