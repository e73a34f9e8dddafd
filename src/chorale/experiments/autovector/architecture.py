"""From a genome to sizes: what is built, and what it costs, before any network exists."""

from __future__ import annotations

from dataclasses import dataclass

from chorale.experiments.autovector.genome import Genome
from chorale.experiments.autovector.space import SpaceConfig


@dataclass(frozen=True)
class FrameLayer:
    """One time-delay layer: convolution over frames, ReLU, batch normalisation, and perhaps a skip connection."""

    inputs: int
    outputs: int
    kernel: int
    dilation: int
    skip: bool

    @property
    def projected(self) -> bool:
        """Whether the skip connection needs a projection, because the widths differ."""
        return self.skip and self.inputs != self.outputs


@dataclass(frozen=True)
class Architecture:
    """The sizes of a network of the x-vector family."""

    layers: tuple[FrameLayer, ...]
    pooling: str
    attention: int
    embedding: int

    @property
    def frame_width(self) -> int:
        """Channels that are pooled."""
        return self.layers[-1].outputs

    @property
    def pooled_width(self) -> int:
        """Dimensions after pooling: the mean, or mean and standard deviation."""
        return self.frame_width if self.pooling == "mean" else 2 * self.frame_width


def architecture(genome: Genome, space: SpaceConfig, n_features: int) -> Architecture:
    """Return the sizes that ``genome`` stands for, with the space's width multiplier applied.

    Args:
        genome: Values of all genes.
        space: The space it is from.
        n_features: Features per frame.
    """
    layers: list[FrameLayer] = []
    depth = int(genome["depth"])
    for number in range(1, depth + 1):
        name = f"layer{number}"
        width = genome["last_width"] if number == depth else genome[f"{name}.width"]
        kernel = int(genome[f"{name}.kernel"])
        layers.append(
            FrameLayer(
                inputs=layers[-1].outputs if layers else n_features,
                outputs=space.scaled(int(width)),
                kernel=kernel,
                dilation=1 if kernel == 1 else int(genome[f"{name}.dilation"]),
                skip=bool(genome[f"{name}.skip"]),
            )
        )
    return Architecture(
        layers=tuple(layers),
        pooling=str(genome["pooling"]),
        attention=space.scaled(space.attention),
        embedding=space.scaled(int(genome["embedding"])),
    )
