"""The same rounds by Flower's simulation: ``python flower_program.py WORK.json RESULT.json``.

A program for Flower's own environment, where nothing else of this project is installed. Clients answer with values
that they have ready, as those of the federation that it is compared with do; nobody validates.
"""

# mypy: disable-error-code="import-not-found, import-untyped, misc"

from __future__ import annotations

import json
import os
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

# Before Flower and Ray are imported: neither is to report to its makers.
os.environ.update(FLWR_TELEMETRY_ENABLED="0", RAY_USAGE_STATS_ENABLED="0")

import flwr
import numpy as np
from flwr.client import ClientApp, NumPyClient
from flwr.common import ndarrays_to_parameters
from flwr.server import ServerApp, ServerAppComponents, ServerConfig
from flwr.server.strategy import FedAvg
from flwr.simulation import run_simulation

_EXAMPLES = 10_000
_READY: list[Any] = []


class Answering(NumPyClient):
    """Answers at once."""

    def __init__(self, shapes: list[list[int]]) -> None:
        self.shapes = shapes

    def fit(self, parameters: list[Any], config: dict[str, Any]) -> tuple[list[Any], int, dict[str, Any]]:
        """Return values of the shapes that came."""
        # Kept in the actor's process, so that making them costs a round nothing.
        if not _READY:
            _READY.extend(np.full(shape, 1e-3, np.float32) for shape in self.shapes)
        assert [list(each.shape) for each in parameters] == self.shapes
        return _READY, _EXAMPLES, {}


class Timed(FedAvg):
    """FedAvg that notes when each round begins."""

    began_s: ClassVar[list[float]] = []

    def configure_fit(self, *arguments: Any, **named: Any) -> Any:
        """Begin a round."""
        self.began_s.append(time.perf_counter())
        return super().configure_fit(*arguments, **named)


def main() -> None:
    """Do the rounds and write their seconds."""
    work = json.loads(Path(sys.argv[1]).read_text())
    shapes, clients, processes = list(work["shapes"].values()), work["clients"], work["ranks"]

    def server(context: Any) -> ServerAppComponents:
        strategy = Timed(
            fraction_fit=1.0,
            fraction_evaluate=0.0,
            min_fit_clients=clients,
            min_evaluate_clients=0,
            min_available_clients=clients,
            initial_parameters=ndarrays_to_parameters([np.zeros(shape, np.float32) for shape in shapes]),
        )
        # Two rounds more than are counted: the first starts the actors, and a round is over when the next begins.
        return ServerAppComponents(strategy=strategy, config=ServerConfig(num_rounds=work["rounds"] + 2))

    run_simulation(
        ServerApp(server_fn=server),
        ClientApp(client_fn=lambda context: Answering(shapes).to_client()),
        num_supernodes=clients,
        backend_config={
            "init_args": {"num_cpus": processes, "include_dashboard": False},
            "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
        },
    )
    seconds = [later - earlier for earlier, later in pairwise(Timed.began_s)]
    Path(sys.argv[2]).write_text(json.dumps({"version": flwr.__version__, "round_s": seconds[1:]}))


if __name__ == "__main__":
    main()
