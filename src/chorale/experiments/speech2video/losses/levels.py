"""Identity maps are to be what VGG sees of the speaker (**figure**: identity matching)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def level_l1(matched: Sequence[Tensor], levels: Sequence[Tensor]) -> Tensor:
    """Return ``Σ_l Σ_i mean |m_li - v_li|`` over places and channels.

    That each map is matched with a level of a real still is the paper's (**figure**), the distance and that every level
    counts alike our **choice**, after the paper notes. No gradient flows to VGG. To be divided by the stills of the
    global batch.

    Args:
        matched: m, from :class:`~chorale.experiments.speech2video.networks.identity_branch.IdentityMatching`, shallow
            to deep, each ``(batch, channels, height, width)``.
        levels: v, of the identity teacher, likewise.

    Raises:
        ValueError: A pair differs in shape: a difference that spread would be a wrong one.
    """
    if [each.shape for each in matched] != [each.shape for each in levels]:
        raise ValueError(f"shapes differ: {[*map(_shape, matched)]} and {[*map(_shape, levels)]}")
    pairs = zip(matched, levels, strict=True)
    apart = [(ours.float() - theirs.detach().float()).abs().flatten(1).mean(dim=1).sum() for ours, theirs in pairs]
    return torch.stack(apart).sum()


def _shape(value: Tensor) -> tuple[int, ...]:
    return tuple(value.shape)
