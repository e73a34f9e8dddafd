"""The training of a teacher: to tell emotions, or people, by their faces."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chorale.experiments.speech2video.config.teachers import TeacherConfig
from chorale.experiments.speech2video.corpus.clips import FaceClips, PartName
from chorale.experiments.speech2video.corpus.windows import WindowSampler
from chorale.ranks.backends.base import make_engine
from chorale.ranks.config import BackendConfig
from chorale.ranks.group import Group
from chorale.training.task import slice_of

Told = Literal["emotion", "speaker"]


class Taught(NamedTuple):
    """Sums over clips.

    Attributes:
        loss: Cross-entropy, mean over a clip's frames.
        hits: Share of a clip's frames that are told rightly.
    """

    loss: Tensor
    hits: Tensor


class TeachingModel(nn.Module):
    """A teacher and its loss, trained as one.

    Args:
        network: Whose answer to frames ``(frames, 3, height, width)`` has ``logits``.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor, labels: Tensor) -> Taught:
        """Return the loss of clips ``(batch, frames, 3, height, width)`` whose labels are ``(batch,)``."""
        count = frames.shape[1]
        logits = self.network(frames.flatten(0, 1)).logits.float()
        of_frames = labels.repeat_interleave(count)
        loss = F.cross_entropy(logits, of_frames, reduction="sum")
        return Taught(loss / count, (logits.argmax(dim=1) == of_frames).sum() / count)


class TeachingTask:
    """The training, for the common loop.

    Args:
        network: With its first weights.
        told: What is told.
        frames: In a row of each clip of a batch.
        clips: To learn from and to judge by.
        config: Recipe.
        backend: How ranks compute together.
        seed: Of the windows.
        group: The ranks.
        device: Where this rank computes.

    Raises:
        InputError: No clip has so many frames.
    """

    def __init__(
        self,
        network: nn.Module,
        told: Told,
        frames: int,
        clips: FaceClips,
        config: TeacherConfig,
        backend: BackendConfig,
        seed: int,
        group: Group,
        device: torch.device,
    ) -> None:
        self._told, self._frames, self._clips, self._config = told, frames, clips, config
        self._group, self._device = group, device
        self._part = slice_of(config.batch, group.rank, group.size)
        self._keys = clips.keys("train")
        # Each clip with the same chance, however long it is.
        lengths = [clips.length(key) for key in self._keys]
        self._windows = WindowSampler(lengths, frames, config.batch, seed, f"faces by {told}", [1.0] * len(lengths))
        self.model = TeachingModel(network)
        self.engine = make_engine(
            f"teacher-{told}",
            self.model,
            lambda parameters: torch.optim.AdamW(parameters, config.rate, weight_decay=config.weight_decay),
            backend,
            group,
            device,
        )
        self.engines = (self.engine,)

    def step(self, step: int) -> dict[str, float]:
        """Do one step on this rank's slice of the batch, and return its part of each mean."""
        engine = self.engine
        engine.module.train()
        engine.set_rate(self._rate(step))
        engine.zero_grad()
        drawn = self._windows.draw(step, self._part.first, self._part.last)
        frames = torch.stack([self._clips.frames(self._keys[one.clip], one.first, self._frames) for one in drawn])
        labels = torch.tensor([self._label(self._keys[one.clip]) for one in drawn])
        with engine.autocast():
            found = engine.module(frames.to(self._device), labels.to(self._device))
            loss = found.loss / self._part.total
        engine.backward(loss)
        engine.step()
        return {
            f"loss/{self._told}": float(loss.detach()),
            f"accuracy/{self._told}": float(found.hits) / self._part.total,
        }

    def gauges(self, step: int) -> dict[str, float]:
        """Return the learning rate of the last step."""
        return {f"rate/{self._told}": self._rate(step - 1)}

    def evaluate(self, step: int) -> dict[str, float]:
        """Return the share of held-out clips told rightly; on ALL ranks. No choice is made by it."""
        return {f"accuracy/{self._told}/held_out": self.accuracy("dev")}

    @torch.no_grad()
    def accuracy(self, part: PartName) -> float:
        """Return the share of a part's clips that are told rightly by their frames' mean logits; on ALL ranks."""
        self.engine.module.eval()
        keys, hits = self._clips.keys(part), 0.0
        for key in keys[self._group.rank :: self._group.size]:
            frames = self._clips.frames(key)
            spread = torch.linspace(0, len(frames) - 1, self._config.judged_frames).round().long()
            logits = self.model.network(frames[spread].to(self._device)).logits
            hits += float(logits.float().mean(dim=0).argmax().item() == self._label(key))
        (total,) = self._group.total([hits])
        return total / len(keys)

    def state(self) -> dict[str, Any]:
        """Return nothing: every draw is keyed by its step."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take nothing back."""

    def _label(self, key: str) -> int:
        return int(getattr(self._clips.labels(key), self._told))

    def _rate(self, step: int) -> float:
        return 0.5 * self._config.rate * (1 + math.cos(math.pi * step / self._config.steps))
