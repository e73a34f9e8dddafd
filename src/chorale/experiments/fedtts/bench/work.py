"""What is measured: a model's shapes, clients, ranks and rounds, in a file that every program of the bench reads."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path

from chorale.core.files import read_json, write_json
from chorale.experiments.fedtts.config.federation import FederationConfig

Shapes = dict[str, tuple[int, ...]]
_SYMBOLS, _MELS = 60, 80
# Without convolutions in the encoder's prenet the defaults have the 6.9 million parameters of the small model.
_ENCODER_PRENET = 0


@dataclass(frozen=True)
class Work:
    """Rounds without training.

    Attributes:
        shapes: Of the model's tensors, in the order of its state.
        clients: In the federation; all take part in every round.
        ranks: Processes.
        rounds: That count; one more is done before them.
        aggregate_in_rank: Whether a rank adds its clients' updates up.
        passes: Exchanges by MPI alone afterwards; 0 leaves them out.
    """

    shapes: Shapes
    clients: int
    ranks: int
    rounds: int
    aggregate_in_rank: bool = True
    passes: int = 0

    def federation(self) -> FederationConfig:
        """Return the federation's configuration."""
        return FederationConfig(
            clients=self.clients, rounds=self.rounds + 1, aggregate_in_rank=self.aggregate_in_rank, train=False
        )

    def write(self, path: Path) -> None:
        """Write it for the programs."""
        write_json(path, asdict(self))


def read_work(path: Path) -> Work:
    """Return what ``Work.write`` wrote."""
    told = read_json(path)
    shapes = {name: tuple(shape) for name, shape in told.pop("shapes").items()}
    return Work(shapes, **told)


def model_shapes(share: float = 1.0) -> Shapes:
    """Return the shapes of the small model's tensors, 6.9 million values.

    Args:
        share: Of the values: each tensor's first axis is shortened by it.
    """
    from chorale.experiments.fedtts.config.network import NetworkConfig
    from chorale.experiments.fedtts.network.initial import tensor_shapes
    from chorale.experiments.fedtts.network.naming import full_depth

    config = NetworkConfig(encoder_prenet=_ENCODER_PRENET)
    whole = tensor_shapes(config, _SYMBOLS, _MELS, full_depth(config))
    return {name: (max(1, round(shape[0] * share)), *shape[1:]) if shape else () for name, shape in whole.items()}


def values_of(shapes: Shapes) -> int:
    """Return the number of values of all tensors."""
    return sum(math.prod(shape) for shape in shapes.values())
