"""Training one Transformer-TTS centrally: what the common loop does at each step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from chorale.core.errors import InputError
from chorale.experiments.fedtts.config import FedttsConfig
from chorale.experiments.fedtts.config.network import LossConfig
from chorale.experiments.fedtts.config.training import RecipeConfig
from chorale.experiments.fedtts.corpus.batch import Batch, Sample, collate
from chorale.experiments.fedtts.corpus.speech_data import Entry
from chorale.experiments.fedtts.network.losses import denominators, speech_losses, total_loss
from chorale.experiments.fedtts.network.transformer import TransformerTts
from chorale.experiments.fedtts.rates import learning_rate, reduction_at
from chorale.experiments.fedtts.sampling import Ahead, BatchSampler, batches_by_length
from chorale.ranks.backends.base import make_engine
from chorale.ranks.group import Group
from chorale.training.dropout import place_samples
from chorale.training.task import Slice, slice_of

ADAM_BETAS = (0.9, 0.98)
ADAM_EPSILON = 1e-9
"""Of Adam for transformers (Vaswani et al. 2017, section 5.3)."""


class SpeechSource(Protocol):
    """Utterances, read when they are asked for."""

    @property
    def train(self) -> Sequence[Entry]:
        """Utterances to train on."""

    @property
    def valid(self) -> Sequence[Entry]:
        """Utterances to validate on."""

    @property
    def n_symbols(self) -> int:
        """Symbols, padding included."""

    def sample(self, entry: Entry) -> Sample:
        """Return what the network needs of one utterance."""


class SpeechModel(nn.Module):
    """The network and its losses, trained as one.

    Args:
        network: Predicts with teacher forcing.
        config: Of the losses.
    """

    def __init__(self, network: TransformerTts, config: LossConfig) -> None:
        super().__init__()
        self.network = network
        self._config = config

    def forward(
        self,
        symbols: Tensor,
        symbol_lengths: Tensor,
        mel: Tensor,
        mel_lengths: Tensor,
        durations: Tensor | None,
        reduction: int,
    ) -> dict[str, Tensor]:
        """Return each loss as a sum over the batch, whose parts are named as in a :class:`Batch`."""
        batch = Batch(symbols, symbol_lengths, mel, mel_lengths, durations)
        return speech_losses(self.network(batch, reduction), batch, reduction, self._config)


class _Work(NamedTuple):
    batch: Batch
    part: Slice
    reduction: int
    divisors: dict[str, float]
    frames: int


class SpeechTask:
    """The training of one network, for the common loop.

    Args:
        network: With its first weights.
        data: The utterances.
        config: Recipe, losses, backend and seed.
        group: The ranks.
        device: Where this rank computes.

    Raises:
        InputError: There is nothing to train on, or a batch has fewer utterances than there are ranks.
    """

    def __init__(
        self, network: TransformerTts, data: SpeechSource, config: FedttsConfig, group: Group, device: torch.device
    ) -> None:
        if not data.train:
            raise InputError("the corpus has no utterance to train on", "lower corpus.held_out")
        self._data, self._config, self._recipe = data, config, config.recipe
        self._group, self._device = group, device
        self._sampler = BatchSampler([entry.frames for entry in data.train], config.recipe.batch, config.seed)
        if self._sampler.smallest < group.size:
            raise InputError(
                f"a batch of {self._sampler.smallest} utterance(s) does not go round {group.size} ranks",
                "raise recipe.batch, or start fewer ranks",
            )
        self._reading = Lock()
        self._ahead = Ahead(self._work)
        self.model = SpeechModel(network, config.loss)
        self.engine = make_engine(
            "network",
            self.model,
            lambda parameters: _optimizer(parameters, self._recipe),
            config.backend,
            group,
            device,
        )
        self.engines = (self.engine,)

    def step(self, step: int) -> dict[str, float]:
        """Do one step on this rank's slice of the batch, and return its part of each mean loss."""
        engine, work = self.engine, self._ahead.get(step)
        place_samples(self.model, work.part.first)
        engine.module.train()
        engine.set_rate(learning_rate(self._recipe, step))
        engine.zero_grad()
        with engine.autocast():
            means = {name: value / work.divisors[name] for name, value in self._sums(work).items()}
            loss = total_loss(means, self._config.loss)
        engine.backward(loss)
        engine.step()
        values = dict(zip(means, torch.stack([value.detach() for value in means.values()]).tolist(), strict=True))
        return {**_labelled({"loss": float(loss.detach()), **values}, "train"), "frames": float(work.frames)}

    def gauges(self, step: int) -> dict[str, float]:
        """Return the learning rate and the reduction factor of the last step."""
        return {
            "rate": learning_rate(self._recipe, step - 1),
            "reduction": float(reduction_at(self._recipe, step - 1)),
        }

    def evaluate(self, step: int) -> dict[str, float]:
        """Return the teacher-forced losses of the validation utterances; on ALL ranks."""
        entries, reduction = self._data.valid, reduction_at(self._recipe, max(0, step - 1))
        if not entries:
            return {}
        sums: dict[str, float] = {}
        self.engine.module.eval()
        for indices in batches_by_length([entry.frames for entry in entries], self._recipe.batch):
            part = slice_of(len(indices), self._group.rank, self._group.size)
            # Every rank does as many forward passes as the others, since parameters may have to be gathered for each.
            counts = len(part.samples) > 0
            own = [entries[indices[index]] for index in (part.samples if counts else range(1))]
            work = _Work(self._read(own, reduction), part, reduction, {}, 0)
            with torch.no_grad(), self.engine.autocast():
                found = self._sums(work)
            for name, value in found.items():
                sums[name] = sums.get(name, 0.0) + counts * float(value)
        divisors = _denominators(entries, reduction, self._config.loss)
        totals = self._group.total(list(sums.values()))
        means = {name: total / divisors[name] for name, total in zip(sums, totals, strict=True)}
        return _labelled({"loss": total_loss(means, self._config.loss), **means}, "valid")

    def state(self) -> dict[str, Any]:
        """Return nothing: every draw is keyed by its step."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take nothing back."""

    def _sums(self, work: _Work) -> dict[str, Tensor]:
        batch = work.batch.to(self._device)
        sums: dict[str, Tensor] = self.engine.module(
            batch.symbols, batch.symbol_lengths, batch.mel, batch.mel_lengths, batch.durations, work.reduction
        )
        return sums

    def _work(self, step: int) -> _Work:
        entries = [self._data.train[index] for index in self._sampler.batch(step)]
        part, reduction = slice_of(len(entries), self._group.rank, self._group.size), reduction_at(self._recipe, step)
        own = [entries[index] for index in part.samples]
        frames = sum(entry.frames for entry in own)
        return _Work(
            self._read(own, reduction), part, reduction, _denominators(entries, reduction, self._config.loss), frames
        )

    def _read(self, entries: Iterable[Entry], reduction: int) -> Batch:
        with self._reading:
            return collate([self._data.sample(entry) for entry in entries], reduction)


def _denominators(entries: Sequence[Entry], reduction: int, config: LossConfig) -> dict[str, float]:
    frames, symbols = [entry.frames for entry in entries], [len(entry.symbols) for entry in entries]
    return denominators(frames, symbols, reduction, config)


def _labelled(values: Mapping[str, float], of: str) -> dict[str, float]:
    return {f"{name}/{of}": value for name, value in values.items()}


def _optimizer(parameters: Iterable[nn.Parameter], recipe: RecipeConfig) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        parameters, lr=recipe.rate, betas=ADAM_BETAS, eps=ADAM_EPSILON, weight_decay=recipe.weight_decay
    )
