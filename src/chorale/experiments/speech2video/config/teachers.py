"""The teachers: how each is built and trained on the corpus, or where the user's own is."""

from __future__ import annotations

from pydantic import Field

from chorale.core.config import Config


class TeacherConfig(Config):
    """What both teachers have. All choices are ours."""

    network: str | None = None
    """``module:function`` of the user's own, which is not trained; see ``networks/registry.py``."""
    steps: int = Field(4000, ge=1)
    """Steps of the optimizer."""
    batch: int = Field(32, ge=1)
    """Clips per step, over all ranks."""
    rate: float = Field(1e-3, gt=0)
    """Of AdamW at first; it falls by half a cosine to 0 (Loshchilov and Hutter 2017)."""
    weight_decay: float = Field(1e-2, ge=0)
    """Of AdamW."""
    judged_frames: int = Field(8, ge=1)
    """Of each held-out clip, spread evenly, whose logits are averaged."""
    log_every: int = Field(25, ge=1)
    """Steps between two logged losses."""
    evaluations: int = Field(5, ge=1)
    """On held-out clips, spread evenly, the last at the end."""


class EmotionTeacherConfig(TeacherConfig):
    """SE-ResNet; defaults are SE-ResNet-50's."""

    blocks: tuple[int, ...] = (3, 4, 6, 3)
    """Of each of four stages."""
    widths: tuple[int, ...] = (64, 128, 256, 512)
    """Of each stage."""
    bottleneck: bool = True
    """Blocks of three convolutions, which return 4 times the width."""
    frames: int = Field(4, ge=1)
    """In a row of each clip of a batch."""


class IdentityTeacherConfig(TeacherConfig):
    """VGG; defaults are VGG-16's."""

    convolutions: tuple[int, ...] = (2, 2, 3, 3, 3)
    """Of each of five levels."""
    widths: tuple[int, ...] = (64, 128, 256, 512, 512)
    """Channels of each level."""
