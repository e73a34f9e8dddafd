"""The student: who speaks and in what mood, from speech alone (**figure**: multi-task student)."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

Pooling = Literal["last", "mean"]


class Heard(NamedTuple):
    """What the student makes of an utterance.

    Attributes:
        emotion: mu, ``(batch, emotion_features)``.
        identity: nu, ``(batch, identity_features)``.
        emotion_logits: From mu, ``(batch, emotions)``.
    """

    emotion: Tensor
    identity: Tensor
    emotion_logits: Tensor


class Student(nn.Module):
    """``mu = S_emo(omega)`` and ``nu = S_id(omega)``, omega the last context (**figure**).

    That the two share nothing above omega is our **choice**, after the paper notes (Albanie et al. 2018): who learns
    the emotion by learning the speaker cheats. So are two layers with ReLU for each, which the figure does not tell.
    Both are as long as the teachers' features that they are distilled against, of no fixed norm. The logits, of one
    layer on mu, serve the distillation of logits.

    Args:
        hidden: Of the contexts.
        emotion_features: Of mu; 2048 are SENet-50's, pooled.
        identity_features: Of nu; 512 are the channels of VGG's deepest level.
        emotions: Classes; 8 are FER+'s.
        width: Of each head's hidden layer.
        pooling: What omega is: the last context, or the mean over them (our **choice**, an option: a last context that
            falls into silence may have forgotten).
    """

    def __init__(
        self,
        hidden: int = 256,
        emotion_features: int = 2048,
        identity_features: int = 512,
        emotions: int = 8,
        width: int = 512,
        pooling: Pooling = "last",
    ) -> None:
        super().__init__()
        self.emotion = _head(hidden, width, emotion_features)
        self.identity = _head(hidden, width, identity_features)
        self.emotion_classes = nn.Linear(emotion_features, emotions)
        self.pooling = pooling

    def forward(self, contexts: Tensor, lengths: Tensor | None = None) -> Heard:
        """Map contexts of utterances to mu, nu and logits.

        Args:
            contexts: ``(batch, steps, hidden)``, at least one step.
            lengths: Steps of each utterance that count, ``(batch,)``; all of them if None.
        """
        omega = pool_contexts(contexts, self.pooling, lengths)
        emotion: Tensor = self.emotion(omega)
        identity: Tensor = self.identity(omega)
        return Heard(emotion, identity, self.emotion_classes(emotion))


def pool_contexts(contexts: Tensor, pooling: Pooling, lengths: Tensor | None = None) -> Tensor:
    """Return omega of each utterance, ``(batch, hidden)``; see :class:`Student` for the arguments."""
    if lengths is None:
        return contexts[:, -1] if pooling == "last" else contexts.mean(dim=1)
    if pooling == "last":
        return contexts[torch.arange(len(contexts), device=contexts.device), lengths - 1]
    beyond = torch.arange(contexts.shape[1], device=contexts.device) >= lengths.unsqueeze(1)
    return contexts.masked_fill(beyond.unsqueeze(2), 0.0).sum(dim=1) / lengths.unsqueeze(1)


def _head(inputs: int, width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, outputs))
