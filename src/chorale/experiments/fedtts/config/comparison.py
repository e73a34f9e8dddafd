"""What the comparison of ``mode: comparison`` trains, and how it judges."""

from __future__ import annotations

from pydantic import Field, model_validator

from chorale.core.config import Config


class ComparisonConfig(Config):
    """Arms times seeds, and the loss that they are to reach. Arms are derived from the run's own configuration."""

    seeds: tuple[int, ...] = Field((1, 2, 3), min_length=3)
    """Of the trainings that are compared; every arm has each, so that arms are compared seed by seed."""
    target_seeds: tuple[int, ...] = Field((101, 102, 103), min_length=3)
    """Of the trainings at full depth that set the target loss, and are in no table."""
    clients: tuple[int, ...] = Field((2, 4, 8), min_length=2)
    """Numbers of clients at full depth and with growing depth, rising."""
    base_clients: int = Field(4, ge=1)
    """Clients of every other arm, and of the target's trainings; one of ``clients``."""
    tolerance: float = Field(1.02, ge=1)
    """The target is the median final loss of the target's trainings times this."""
    confidence: float = Field(0.95, gt=0, lt=1)
    """Of the intervals."""

    @model_validator(mode="after")
    def _fits(self) -> ComparisonConfig:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds: one stands twice")
        if set(self.seeds) & set(self.target_seeds):
            raise ValueError("target_seeds: the target must not come from seeds that are compared")
        if self.clients[0] < 1 or list(self.clients) != sorted(set(self.clients)):
            raise ValueError("clients: rising numbers were expected")
        if self.base_clients not in self.clients:
            raise ValueError(f"base_clients {self.base_clients} is not one of clients")
        return self
