"""Which images, and how many of them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from chorale.core.config import Config

ImageLayout = Literal["fashion-mnist", "mnist", "cifar10", "cifar100", "folder"]

CORPUS_OF_IMAGE_LAYOUT: dict[ImageLayout, str] = {
    "fashion-mnist": "fashion-mnist",
    "mnist": "mnist",
    "cifar10": "cifar10",
}
"""The catalogue's corpus in each layout that has one."""


class ImagesConfig(Config):
    """Images whose classes are known."""

    layout: ImageLayout = "fashion-mnist"
    """``fashion-mnist`` and ``mnist``: IDX files, compressed or not; ``cifar10`` and ``cifar100``: the binary or the
    Python version; ``folder``: ``train/class/*`` and ``test/class/*`` (or ``val``)."""
    root: Path | None = None
    """Top of the user's own tree; the catalogue's package if not given, which ``cifar100`` and ``folder`` lack."""
    size: int | None = Field(None, ge=1)
    """``folder`` only: pixels of both sides, to which images are scaled and cropped. None: they are all of one size
    already."""
    channels: Literal[1, 3] = 3
    """``folder`` only: brightness, or red, green and blue. The other layouts have their own number."""
    max_train: int | None = Field(None, ge=1)
    """At most so many for training. Each class keeps its share of them to within one image, spread evenly over its
    own images, so that a balanced corpus stays balanced; None: all."""
    max_test: int | None = Field(None, ge=1)
    """Likewise for testing."""

    @model_validator(mode="after")
    def _consistent(self) -> ImagesConfig:
        if self.root is None and self.layout not in CORPUS_OF_IMAGE_LAYOUT:
            raise ValueError(f"layout {self.layout} needs a root")
        if self.size is not None and self.layout != "folder":
            raise ValueError(f"layout {self.layout} takes no size: its images are read as they are")
        return self

    @property
    def corpus(self) -> str | None:
        """The catalogue's corpus that is read; None where a root is given."""
        return CORPUS_OF_IMAGE_LAYOUT[self.layout] if self.root is None else None
