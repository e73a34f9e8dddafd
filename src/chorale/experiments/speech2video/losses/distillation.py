"""What the student learns from the teachers' eyes: features of faces, and what they say of the emotion."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor


def feature_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Return ``Σ_i |s_i / |s_i| - t_i / |t_i||²``, which is ``2 - 2 cos(s_i, t_i)`` of each sample.

    That mu is distilled against mu* and nu against nu* is the paper's (**figure**); this distance is our **choice**,
    after the paper notes: of features of unit length no teacher's scale decides its weight. No gradient flows to the
    teacher. To be divided by the samples of the global batch.

    Args:
        student: mu or nu, ``(batch, features)``.
        teacher: mu* or nu*, likewise.
    """
    ours, theirs = F.normalize(student.float(), dim=1), F.normalize(teacher.detach().float(), dim=1)
    return (ours - theirs).square().sum()


def soft_cross_entropy(student: Tensor, teacher: Tensor, temperature: float = 2.0) -> Tensor:
    """Return ``-Σ_i Σ_c softmax(t_i / T)_c log softmax(s_i / T)_c`` (Hinton et al. 2015, equations 1 and 2).

    The temperature of 2 is that of Albanie et al. 2018, as the paper notes have it. Hinton's factor T² is left out, for
    T does not change while it trains: the loss's weight stands for it. Its least value is the entropy of the teacher's
    softmax. No gradient flows to the teacher. To be divided by the samples of the global batch.

    Args:
        student: Emotion logits from mu, ``(batch, emotions)``.
        teacher: The emotion teacher's over the clip, likewise; see :func:`over_frames`.
        temperature: T.
    """
    theirs = F.softmax(teacher.detach().float() / temperature, dim=1)
    return -(theirs * F.log_softmax(student.float() / temperature, dim=1)).sum()


def over_frames(logits: Tensor, how: Literal["max", "mean"] = "max") -> Tensor:
    """Return one vector of logits for a clip, ``(..., emotions)``.

    Each emotion's largest over the frames (Albanie et al. 2018, as the paper notes have it): a short expression counts,
    and silence with a still face does not water it down.

    Args:
        logits: Of every frame, ``(..., frames, emotions)``, at least one frame.
        how: The mean is an option.
    """
    return logits.amax(dim=-2) if how == "max" else logits.mean(dim=-2)
