"""One rank under MPI that trains with Horovod, and fails as it is told: ``horovod_program.py SCENARIO FOLDER``.

What ended a rank with an error is written to ``rank-N.txt`` in FOLDER; what rank 0 found, to ``found.json``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from chorale.ranks.backends.base import Engine, make_engine
from chorale.ranks.config import BackendConfig
from chorale.ranks.group import Group, SingleProcess, open_group

TIMEOUT_S = 4.0
STEPS = 4
SAMPLES = 5


class Branches(nn.Module):
    """Two branches that a loss may use or not, and one that none uses."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.idle = nn.Linear(3, 1), nn.Linear(3, 1), nn.Linear(3, 1)

    def forward(self, inputs: Tensor, second: bool) -> Tensor:
        return self.second(inputs) if second else self.first(inputs)


def engine_for(group: Group) -> Engine:
    torch.manual_seed(0)
    backend = BackendConfig(kind="horovod", clip_norm=0.5)
    # Weight decay moves a parameter whose gradient is zero, and leaves one alone that has none.
    return make_engine(
        "network",
        Branches(),
        lambda parameters: torch.optim.AdamW(parameters, lr=0.05, weight_decay=0.1),
        backend,
        group,
        torch.device("cpu"),
    )


def take_part(group: Group) -> dict[str, Any]:
    """Train where rank 0 alone uses the first branch, rank 1 the second, and further ranks compute nothing at all."""
    engine = engine_for(group)
    inputs = torch.randn(SAMPLES, 3, generator=torch.Generator().manual_seed(1))
    gradients: dict[str, Tensor] = {}
    for step in range(STEPS):
        engine.zero_grad()
        for branch in (0, 1):
            if group.size == 1 or group.rank == branch:
                engine.backward(engine.module(inputs + step, branch == 1).square().sum() / SAMPLES)
        gradients = gradients or engine.gradients()
        engine.step()
    return {
        "gradients": {name: value.flatten().tolist() for name, value in gradients.items()},
        "parameters": {name: value.flatten().tolist() for name, value in engine.full_state().items()},
        "hashes": group.gather(engine.parameters_hash()),
    }


def _train_until(group: Group, last_rank_ends: Any) -> None:
    engine = engine_for(group)
    for step in range(10 * STEPS):
        engine.zero_grad()
        engine.backward(engine.module(torch.ones(1, 3), False).sum())
        if step == STEPS and group.rank == group.size - 1:
            last_rank_ends()
        engine.step()


def fail_in_a_step(group: Group) -> None:
    _train_until(group, lambda: 1 // 0)


def be_killed(group: Group) -> None:
    def die() -> None:
        Path("died").touch()
        os.kill(os.getpid(), signal.SIGKILL)

    _train_until(group, die)


def fail_before_joining(group: Group) -> None:
    if group.rank == group.size - 1:
        raise ZeroDivisionError("told to")
    engine_for(group)


def main() -> int:
    """Be one rank."""
    scenario, folder = sys.argv[1], Path(sys.argv[2])
    torch.set_num_threads(1)
    group = open_group("mpi", TIMEOUT_S)
    try:
        found = globals()[scenario](group)
    except Exception as error:
        (folder / f"rank-{group.rank}.txt").write_text(f"{type(error).__name__}: {error}")
        group.fail()
        return 1
    if group.rank == 0:
        (folder / "found.json").write_text(json.dumps(found))
    group.close()
    return 0


def alone() -> dict[str, Any]:
    """Take part in this process alone."""
    return take_part(SingleProcess())


if __name__ == "__main__":
    raise SystemExit(main())
