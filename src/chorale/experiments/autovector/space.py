"""The space of networks that the search may choose from. No heavy imports: the command line loads this."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from chorale.core.config import Config

Pooling = Literal["mean", "statistics", "attentive-statistics"]
GeneValue = int | str | bool

_XVECTOR_LAYERS = ((5, 1), (3, 2), (3, 3), (1, 1), (1, 1))
"""Kernel and dilation of the frame layers of Kaldi's sre16 v1 x-vector: {-2..2}, {-2,0,2}, {-3,0,3}, {0}, {0}."""
_XVECTOR_WIDTH = 512
_XVECTOR_LAST_WIDTH = 1500


class SpaceConfig(Config):
    """What each gene may be. Our choice, after EfficientTDNN and SpeechNAS; the paper's own space is not known."""

    depths: tuple[int, ...] = (3, 4, 5, 6, 7)
    """Numbers of frame layers."""
    kernels: tuple[int, ...] = (1, 3, 5, 7)
    """Kernel sizes of a frame layer, odd, in frames."""
    dilations: tuple[int, ...] = (1, 2, 3, 4)
    """Dilations of a frame layer, in frames."""
    widths: tuple[int, ...] = (128, 256, 384, 512)
    """Channels of every frame layer but the last."""
    last_widths: tuple[int, ...] = (512, 1024, 1500)
    """Channels of the last frame layer, the one that is pooled."""
    poolings: tuple[Pooling, ...] = ("mean", "statistics", "attentive-statistics")
    """How frames become one vector."""
    embeddings: tuple[int, ...] = (128, 192, 256, 512)
    """Dimensions of the embedding."""
    attention: int = Field(128, ge=1)
    """Hidden units of the attention in ``attentive-statistics``; not a gene."""
    width_multiplier: float = Field(1.0, gt=0, le=1)
    """Scales every width, embedding and attention down for small machines; 1 is the full space."""
    width_step: int = Field(8, ge=1)
    """Scaled widths are rounded to multiples of this."""

    @field_validator("depths", "kernels", "dilations", "widths", "last_widths", "embeddings")
    @classmethod
    def _positive_and_distinct(cls, values: tuple[int, ...]) -> tuple[int, ...]:
        if not values or min(values) < 1 or len(set(values)) != len(values):
            raise ValueError("distinct whole numbers from 1 up were expected")
        return values

    @model_validator(mode="after")
    def _odd_kernels(self) -> SpaceConfig:
        if any(kernel % 2 == 0 for kernel in self.kernels):
            raise ValueError("kernels must be odd, so that a layer keeps the number of frames")
        return self

    @model_validator(mode="after")
    def _holds_the_xvector(self) -> SpaceConfig:
        alleles = self.alleles()
        for gene, value in self.xvector().items():
            if value not in alleles.get(gene, ()):
                raise ValueError(f"the x-vector, where the search begins, needs {gene} = {value} in the space")
        return self

    def alleles(self) -> dict[str, tuple[GeneValue, ...]]:
        """Return every gene and the values it may take, in the genome's order."""
        genes: dict[str, tuple[GeneValue, ...]] = {"depth": self.depths}
        for layer in range(1, max(self.depths) + 1):
            genes[f"layer{layer}.kernel"] = self.kernels
            genes[f"layer{layer}.dilation"] = self.dilations
            genes[f"layer{layer}.width"] = self.widths
            genes[f"layer{layer}.skip"] = (False, True)
        return {
            **genes,
            "last_width": self.last_widths,
            "pooling": self.poolings,
            "embedding": self.embeddings,
        }

    def xvector(self) -> dict[str, GeneValue]:
        """Return the genes of the hand-made x-vector (Kaldi sre16 v1), the individual the search begins with."""
        genes: dict[str, GeneValue] = {"depth": len(_XVECTOR_LAYERS)}
        for layer in range(1, max(self.depths) + 1):
            # Slots beyond its depth are dormant: they wait for a mutation of the depth.
            kernel, dilation = _XVECTOR_LAYERS[layer - 1] if layer <= len(_XVECTOR_LAYERS) else (1, 1)
            genes[f"layer{layer}.kernel"] = kernel
            genes[f"layer{layer}.dilation"] = dilation
            genes[f"layer{layer}.width"] = _XVECTOR_WIDTH
            genes[f"layer{layer}.skip"] = False
        return {**genes, "last_width": _XVECTOR_LAST_WIDTH, "pooling": "statistics", "embedding": _XVECTOR_WIDTH}

    def scaled(self, width: int) -> int:
        """Return a width after the multiplier, rounded to the step and never below it."""
        if self.width_multiplier == 1.0:
            return width
        return max(self.width_step, round(width * self.width_multiplier / self.width_step) * self.width_step)
