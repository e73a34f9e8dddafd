"""The same rounds by APPFL over MPI: ``mpiexec -n N python appfl_program.py WORK.json RESULT.json``.

A program for APPFL's own environment, where nothing else of this project is installed. Rank 0 serves, as APPFL has it,
and the others carry the clients in batches, a message a rank. Clients answer with values that they have ready.
"""

# ruff: noqa: E402, the imports stand below what must come before them.
# mypy: disable-error-code="import-not-found, import-untyped, misc"

from __future__ import annotations

import json
import sys
import tempfile
import time
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

# Image measures of a report that is not asked for here; they want a torchvision that a torch for CPUs cannot load.
sys.modules["piq"] = ModuleType("piq")

import torch
from appfl.agent import ServerAgent
from appfl.comm.mpi import MPIClientCommunicator, MPIServerCommunicator
from appfl.comm.mpi.mpi_client_communicator import MPI
from appfl.config import ServerAgentConfig
from omegaconf import OmegaConf


class Model(torch.nn.Module):
    """Tensors of given shapes; APPFL makes it by its name.

    Args:
        work: Path of the work's file.
    """

    def __init__(self, work: str) -> None:
        super().__init__()
        shapes = json.loads(Path(work).read_text())["shapes"].values()
        self.values = torch.nn.ParameterList(torch.nn.Parameter(torch.zeros(shape)) for shape in shapes)


def serve(work: dict[str, Any], path: str, logs: str) -> None:
    """Be the server."""
    config = {
        "client_configs": {
            "train_configs": {},
            "model_configs": {"model_path": __file__, "model_name": "Model", "model_kwargs": {"work": path}},
        },
        "server_configs": {
            "num_clients": work["clients"],
            "num_global_epochs": work["rounds"] + 1,
            "scheduler": "SyncScheduler",
            "scheduler_kwargs": {"num_clients": work["clients"]},
            "aggregator": "FedAvgAggregator",
            "aggregator_kwargs": {"client_weights_mode": "equal"},
            "logging_output_dirname": logs,
        },
    }
    agent = ServerAgent(OmegaConf.merge(OmegaConf.structured(ServerAgentConfig), config))
    MPIServerCommunicator(MPI.COMM_WORLD, server_agent=agent, logger=agent.logger).serve()


def follow(work: dict[str, Any], clients: list[str], result: Path | None) -> None:
    """Carry clients, and write each round's seconds if told where to."""
    line = MPIClientCommunicator(MPI.COMM_WORLD, server_rank=0, client_ids=clients)
    line.get_configuration()
    first = line.get_global_model(init_model=True)
    model = first[0] if isinstance(first, tuple) else first
    answers = {client: {name: value + 1e-3 for name, value in model.items()} for client in clients}
    began = []
    for _ in range(work["rounds"] + 1):
        began.append(time.perf_counter())
        line.update_global_model(answers)
    began.append(time.perf_counter())
    line.invoke_custom_action(action="close_connection")
    if result is not None:
        seconds = [later - earlier for earlier, later in pairwise(began)]
        result.write_text(json.dumps({"version": version("appfl"), "round_s": seconds[1:]}))


def main() -> None:
    """Be one rank."""
    work, world = json.loads(Path(sys.argv[1]).read_text()), MPI.COMM_WORLD
    if world.rank == 0:
        with tempfile.TemporaryDirectory() as logs:
            serve(work, sys.argv[1], logs)
        return
    clients = [f"client{client}" for client in range(world.rank - 1, work["clients"], world.size - 1)]
    follow(work, clients, Path(sys.argv[2]) if world.rank == 1 else None)


if __name__ == "__main__":
    main()
